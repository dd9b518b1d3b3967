/** Keys whose texts say what happened, and nothing that anybody wrote: kept, but for handles in them. */
const KEPT = new Set(
  `type command_id command_type event_id event_type message_guid attachment_guid attachment_guids schedule_id in_reply_to
  reply_to_guid reaction_guid guid last_command_id status state timestamp completed_at original_timestamp sent_at edited_at
  unsent_at send_at schedule_time since at last_pong_at next_attempt_at last_incoming_at last_sent_at priority bubble_type
  service mode outcome code version link poller capabilities accepts ack_events ack_commands applied refused key
  redacted_fields mime_type kind reaction`.split(/\s+/),
);

/** Keys that name people and conversations. */
const HANDLES = new Set(
  `thread_id chat_guid sender participants user_phone edge_agent_id agent_id apple_id member by conversation`.split(
    /\s+/,
  ),
);

const SECRETS = /token|secret|password|authorization|api_?key/i;
const NUMBER = /\+\d{7,15}/g;
const ADDRESS = /[^\s@;:<>"',]+@[^\s@;:<>"',]+/g;
/** A name of a field, as programs give them; anything else may be what a person wrote. */
const FIELD = /^(?!.*\d{5})[a-z][a-z0-9_.]{0,40}$/i;

/**
 * Puts a made-up name in the place of everything that is somebody's: texts, numbers, addresses, files, secrets. The same thing
 * gets the same name throughout, so that who answers whom, and which texts are equal, can still be seen. What is not known
 * to be harmless is replaced.
 */
export class Pseudonyms {
  private readonly texts = new Map<string, string>();
  private readonly people = new Map<string, string>();
  private readonly fields = new Map<string, string>();

  /** A copy of a JSON value without anything that is somebody's. */
  redact(value: unknown, key = ''): unknown {
    if (Array.isArray(value)) return value.map((item) => this.redact(item, key));
    if (typeof value === 'object' && value !== null) {
      return Object.fromEntries(
        Object.entries(value).map(([name, item]) => [this.field(name), this.redact(item, name)]),
      );
    }
    if (typeof value === 'string') return this.string(value, key);
    // A number of many digits may be a telephone's; those of times and sizes have names that are known.
    if (typeof value === 'number' && Math.abs(value) >= 1e7 && !KEPT.has(key)) return 0;
    return value;
  }

  private string(text: string, key: string): string {
    if (text === '') return text;
    if (SECRETS.test(key)) return '[secret]';
    if (HANDLES.has(key)) return this.handle(text);
    if (KEPT.has(key)) return this.withoutHandles(text);
    const [, code = ''] = key === 'error' ? (/^([a-z_]+: )/.exec(text) ?? []) : [];
    return `${code}${this.text(text.slice(code.length))}`;
  }

  /** Equal for what the agent takes to be the same text (protocol §7): the twins of a reflex stay twins. */
  private text(text: string): string {
    const meant = text.normalize('NFC').trim().replace(/\s+/gu, ' ');
    return named(this.texts, meant, (count) => `text_${count}_of_${text.length}`);
  }

  private handle(text: string): string {
    const [, prefix = '', rest = ''] = /^([A-Za-z]+;[-+];|edge_)?(.*)$/s.exec(text) ?? [];
    if (prefix === 'edge_' && /^\d+$/.test(rest)) return `edge_${this.person(`+${rest}`).slice(1)}`;
    return `${prefix}${this.person(rest)}`;
  }

  private person(name: string): string {
    return named(this.people, name.toLowerCase(), (count) => {
      if (/^\+\d+$/.test(name)) return fictionalNumber(count);
      if (/^chat\d+$/.test(name)) return `chat${100_000 + count}`;
      return `person${count}@example.com`;
    });
  }

  private withoutHandles(text: string): string {
    let clean = text
      .replace(NUMBER, (number) => this.person(number))
      .replace(ADDRESS, (one) => this.person(one));
    for (const [name, made] of this.people) {
      const digits = /^\+(\d+)$/.exec(name)?.[1];
      if (digits !== undefined) clean = clean.replaceAll(digits, made.slice(1));
    }
    return clean;
  }

  private field(name: string): string {
    return FIELD.test(name) ? name : named(this.fields, name, (count) => `key_${count}`);
  }
}

function named(names: Map<string, string>, of: string, make: (count: number) => string): string {
  const known = names.get(of);
  if (known !== undefined) return known;
  const made = make(names.size + 1);
  names.set(of, made);
  return made;
}

/** 555-0100 to 555-0199 are kept for fiction in each area of the North American plan (NANPA); so nobody has them. */
function fictionalNumber(count: number): string {
  const area = 201 + Math.floor(count / 100);
  return `+1${area}55501${String(count % 100).padStart(2, '0')}`;
}
