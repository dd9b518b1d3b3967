/**
 * The line that every script logs to stderr right before its `send`, and never earlier. A run that ended
 * without this line in its output has provably sent nothing; with it, it may have.
 */
export const DISPATCH_MARKER = 'edge-agent:dispatch';

/**
 * How the recipient is named. `chat`: a chat's guid exactly as chat.db has it (direct or group, must exist).
 * `participant`: an address on an iMessage account, which always resolves, so it also reaches a new person. `sms`: an
 * address on the SMS account, which exists only with an iPhone's Text Message Forwarding.
 */
export type TargetForm = 'chat' | 'participant' | 'sms';

/** What is sent: the text in argument 1, or the file whose absolute path is argument 5. */
type ContentForm = 'text' | 'file';

export type ScriptName = `${TargetForm}-${ContentForm}`;

/**
 * `set` to an object of Messages makes AppleScript ask Messages for it immediately, and `get id of` asks again, so a
 * target that does not exist fails here, before the marker. A participant's id is not queried: no public source shows
 * that a new person has one.
 */
const LOOK_UP: Record<TargetForm, string> = {
  chat: `
			set theTarget to chat id (item 2 of argv)
			get id of theTarget`,
  participant: lookUpParticipant('iMessage'),
  sms: lookUpParticipant('SMS'),
};

function lookUpParticipant(service: 'iMessage' | 'SMS'): string {
  return `
			set theAccountId to item 4 of argv
			if theAccountId is "" then
				set theAccount to 1st account whose service type = ${service}
			else
				set theAccount to account id theAccountId
			end if
			get id of theAccount
			set theTarget to participant (item 2 of argv) of theAccount`;
}

/** The `as alias` makes a file that is not there fail before the marker. */
const CONTENT: Record<ContentForm, string> = {
  text: 'set theContent to item 1 of argv',
  file: 'set theContent to (POSIX file (item 5 of argv)) as alias',
};

/**
 * One script. `log` is outside the tell block, where it is AppleScript's own command and writes to stderr; the timeout
 * is that of each Apple event, which without it is 120 s and ends in error -1712.
 */
function script(target: TargetForm, content: ContentForm): string {
  return `on run argv
	${CONTENT[content]}
	with timeout of ((item 3 of argv) as integer) seconds
		tell application "Messages"${LOOK_UP[target]}
		end tell
		log "${DISPATCH_MARKER}"
		tell application "Messages" to send theContent to theTarget
	end timeout
end run
`;
}

/**
 * The whole AppleScript of the agent. Each is constant text: whatever comes from outside reaches it only as
 * an element of argv, which AppleScript never compiles.
 * argv: text ("" for a file), target, seconds before an Apple event times out, account id or "", [file path,]
 * and last the tag of the attempt, which no script reads: it is there to be seen in the list of processes.
 */
export const SCRIPTS: Readonly<Record<ScriptName, string>> = {
  'chat-text': script('chat', 'text'),
  'chat-file': script('chat', 'file'),
  'participant-text': script('participant', 'text'),
  'participant-file': script('participant', 'file'),
  'sms-text': script('sms', 'text'),
  'sms-file': script('sms', 'file'),
};
