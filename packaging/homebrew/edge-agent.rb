# The Homebrew formula. `npm run release` fills in what is between @, and puts it into release/, for a tap.
#
# It brings the Node of nodejs.org, not that of Homebrew: `edge-agent install` copies the node that it runs with, and a
# copy of Homebrew's node stops starting once its libraries are upgraded.
class EdgeAgent < Formula
  desc "Daemon that connects iMessage on a Mac to your backend"
  homepage "https://www.npmjs.com/package/edge-agent"
  url "@URL@"
  sha256 "@SHA256@"
  license "MIT"

  depends_on :macos

  resource "node" do
    on_arm do
      url "https://nodejs.org/dist/v@NODE@/node-v@NODE@-darwin-arm64.tar.gz"
      sha256 "@NODE_ARM_SHA256@"
    end
    on_intel do
      url "https://nodejs.org/dist/v@NODE@/node-v@NODE@-darwin-x64.tar.gz"
      sha256 "@NODE_INTEL_SHA256@"
    end
  end

  def install
    resource("node").stage { (libexec/"node").install Dir["*"] }
    ENV.prepend_path "PATH", libexec/"node/bin"
    system "npm", "install", "--global", "--prefix", libexec/"agent",
           "--allow-scripts=better-sqlite3", "--no-audit", "--no-fund", "--install-links", "."
    program = libexec/"agent/lib/node_modules/edge-agent"
    (bin/"edge-agent").write <<~SH
      #!/bin/sh
      exec "#{libexec}/node/bin/node" "#{program}/dist/cli/main.js" "$@"
    SH
    man1.install_symlink program/"man/edge-agent.1"
  end

  def caveats
    <<~TEXT
      To configure it:          edge-agent setup
      To run it at each login:  edge-agent install
      After each upgrade:       edge-agent install
    TEXT
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/edge-agent --version")
  end
end
