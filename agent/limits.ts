/**
 * Bounds on everything that the agent exchanges with the broker or waits for. Payloads themselves are bounded by
 * `MAX_PAYLOAD_BYTES` of ota/limits.ts.
 */
import { MAX_PAYLOAD_BYTES } from "../ota/limits.ts";

/** One MQTT packet from the broker, in bytes: a full payload, and room for the topic and MQTT 5 properties. */
export const MAX_PACKET_BYTES = MAX_PAYLOAD_BYTES + 4_096;

/** A topic, in bytes of UTF-8. */
export const MAX_TOPIC_BYTES = 1_024;

/** Correlation data of a request, in bytes; longer ones are not answered with it. */
export const MAX_CORRELATION_BYTES = 256;

/** Messages with QoS 1 that the broker may send before we acknowledge one (MQTT 5 §3.1.2.11.3, Receive Maximum). */
export const RECEIVE_MAXIMUM = 16;

/** Messages that we send before the broker acknowledges one. */
export const SEND_WINDOW = 16;

/** Filters in one SUBSCRIBE or UNSUBSCRIBE; AWS IoT takes eight. */
export const MAX_FILTERS_PER_PACKET = 8;

/** Filters of an earlier run that are remembered until they are unsubscribed. */
export const MAX_FOREIGN_FILTERS = 256;

/** How long the broker keeps our session while we are away, in seconds: a day, then a command is stale. */
export const SESSION_EXPIRY_SECONDS = 86_400;

/** From opening the socket to CONNACK, in milliseconds: a TLS handshake on a slow device over a slow line fits. */
export const CONNECT_TIMEOUT_MS = 30_000;

/** From sending a message or subscription to its acknowledgement, in milliseconds: a full window on a slow line fits. */
export const ACKNOWLEDGE_TIMEOUT_MS = 120_000;

/** From DISCONNECT to the broker's closing of the connection, in milliseconds. */
export const DISCONNECT_TIMEOUT_MS = 3_000;

/** Upper bound of the first reconnect delay, in milliseconds; doubles with each failure. */
export const RECONNECT_BASE_MS = 1_000;

/** Upper bound of any reconnect delay, in milliseconds. */
export const RECONNECT_CAP_MS = 120_000;

/** A connection that held this long, in milliseconds, starts the reconnect schedule afresh. */
export const STABLE_CONNECTION_MS = 30_000;

/** How long a subscription that brought an oversized packet is left out at first, in milliseconds; doubles each time. */
export const QUARANTINE_BASE_MS = 60_000;

/** Upper bound of that, in milliseconds. */
export const QUARANTINE_CAP_MS = 3_600_000;

/** Signals within this time of the first, in milliseconds, are its repetitions: each of npm, npx and skerry.js passes a Ctrl-C on. */
export const REPEATED_SIGNAL_MS = 1_000;

/** Waiting for acknowledgements when the agent stops, in milliseconds. */
export const STOP_FLUSH_TIMEOUT_MS = 5_000;

/** Events kept while there is no connection: count and bytes; the oldest go first. */
export const MAX_QUEUED_EVENTS = 512;
export const MAX_QUEUED_EVENT_BYTES = 262_144;

/** Telemetry and log messages kept while there is no connection: count and bytes; the oldest go first. */
export const MAX_QUEUED_TELEMETRY = 256;
export const MAX_QUEUED_TELEMETRY_BYTES = 262_144;

/** Retained topics of which the newest message is kept while there is no connection. */
export const MAX_QUEUED_LATEST = 16;

/** A password file, in bytes (MQTT bounds a password to 65,535; nobody types that). */
export const MAX_PASSWORD_BYTES = 4_096;

/** A certificate, chain or key file, in bytes. */
export const MAX_PEM_BYTES = 262_144;

/** Groups of one device. */
export const MAX_GROUPS = 32;

/** Keepalive, in seconds (MQTT's field has 16 bits). */
export const MIN_KEEPALIVE_SECONDS = 5;
export const MAX_KEEPALIVE_SECONDS = 65_535;

/** How long no metadata must have arrived before it is judged, in milliseconds: retained topics come in a burst. */
export const METADATA_SETTLE_MS = 50;

/** How long metadata that keeps arriving may put that off, in milliseconds. */
export const METADATA_SETTLE_MAX_MS = 1_000;

/** Before metadata that could not be written is looked at again, in milliseconds. */
export const METADATA_RETRY_MS = 30_000;

/**
 * How long parts of metadata may be missing or not fit before they are asked for once more, and then before that is
 * reported, in milliseconds.
 */
export const METADATA_GRACE_MS = 3_000;

/** How often the trusted metadata's expiry is looked at when nothing arrives, in milliseconds. */
export const METADATA_RECHECK_MS = 3_600_000;

/** One command, in bytes, and its id, in UTF-16 units. */
export const MAX_COMMAND_BYTES = 4_096;
export const MAX_COMMAND_ID_LENGTH = 128;

/** How long a message waits for a module that does not run, in milliseconds; how many do so, and their bytes. */
export const MESSAGE_HOLD_MS = 10_000;
export const MAX_HELD_MESSAGES = 32;
export const MAX_HELD_MESSAGE_BYTES = 131_072;

/** Log lines about messages that reached no module, per minute. */
export const MAX_LOST_MESSAGES_PER_MINUTE = 20;

/** Until the same warning is said again, in milliseconds: at first, and at most; it doubles each time. */
export const REPEATED_WARNING_PAUSE_MS = 60_000;
export const REPEATED_WARNING_CAP_MS = 3_600_000;

/** Texts of one subject's warnings that are told apart. */
export const MAX_REPEATED_TEXTS = 8;

/** How long a module may take to end when it is asked to, in milliseconds; then its worker is ended. */
export const MODULE_STOP_GRACE_MS = 2_000;

/** How often a reactor's health is asked within its manifest's window, and how long an answer may take, in milliseconds. */
export const HEALTH_CHECKS_PER_WINDOW = 5;
export const HEALTH_DEADLINE_MS = 10_000;

/** How often it is asked after that, in milliseconds. */
export const HEALTH_INTERVAL_MS = 60_000;

/** A message in an event, the state or a log line that goes out, in UTF-16 units. */
export const MAX_MESSAGE_LENGTH = 1_024;

/** The modules in a state message, in bytes of JSON: a payload less what stands around them. */
export const MAX_STATE_MODULES_BYTES = MAX_PAYLOAD_BYTES - 1_024;

/** Events about refused metadata, at once and then per hour: whoever writes to the broker can forge without end. */
export const METADATA_REFUSALS_BURST = 40;
export const METADATA_REFUSALS_PER_HOUR = 6;

/**
 * Metadata that is looked at and refused, at once and then per minute: beyond it what arrives has to wait. A check of the largest file costs
 * a slow device some tens of milliseconds.
 */
export const REFUSED_EVALUATIONS_BURST = 60;
export const REFUSED_EVALUATIONS_PER_MINUTE = 12;

/** How long changes of state are gathered before the state goes out, in milliseconds. */
export const STATE_DELAY_MS = 20;

/** Without an event for this long the agent rests and its heap is collected, in milliseconds: an update's steps come closer together. */
export const COLLECT_AFTER_SILENCE_MS = 5_000;

/** The heap is collected after payloads of this size together, in bytes: each lies in memory up to three times until then. */
export const COLLECT_AFTER_BYTES = 256 * 1024;
/** The same, until everything is collected: a tenth of what comes outlives the small collections. */
export const COLLECT_ALL_AFTER_BYTES = 16 * 1024 * 1024;

/** Files, folders and links that a module may keep: they are copied for each trial, and looked at when they are counted. */
export const MAX_DATA_ENTRIES = 1_024;

/** Lines of a module's log that are kept for a report of its crash. */
export const CRASH_LOG_LINES = 10;

/** What of a crash goes into its event: functions, log lines, and characters of each of these. */
export const CRASH_SUMMARY_FRAMES = 5;
export const CRASH_SUMMARY_LINES = 3;
export const CRASH_SUMMARY_LINE_LENGTH = 120;

/** Linear memory of a module that is run by hand and whose manifest does not say, in bytes. */
export const RUN_MEMORY_BYTES = 256 * 1024 * 1024;

/** JavaScript heap of its worker, in MiB. */
export const RUN_HEAP_MIB = 256;

/** From the end of its time to the end of its worker, in milliseconds. */
export const RUN_STOP_GRACE_MS = 500;

/** Arguments of a module that is run by hand, all together, in bytes of the JSON that its worker is handed. */
export const RUN_MAX_ARGUMENT_BYTES = 32 * 1024;

/**
 * What of a component is held in memory to check it, in bytes: all but its custom sections. Checking takes a few times as much. It is
 * never more than the module's granted code, its memory (which its data has to fit in) and the slack for types, imports and names.
 */
export const MAX_STAGED_COMPONENT_BYTES = 16 * 1024 * 1024;
export const STAGED_SLACK_BYTES = 512 * 1024;

/** Runs of the agent in a row, ended unasked, after which modules start later. */
export const CRASH_LOOP_RUNS = 4;

/** How much later, in milliseconds: time to connect and to hear of another version. Doubles with each further run. */
export const CRASH_LOOP_DELAY_MIN_MS = 60_000;
export const CRASH_LOOP_DELAY_MAX_MS = 15 * 60 * 1_000;

/** An agent that ran this long with its modules, in milliseconds, is not one that dies at its start. */
export const LASTING_RUN_MS = 60_000;

/** The least that an owner may set aside for versions, in bytes: a smaller number is a mistake. */
export const MIN_STORAGE_BUDGET_BYTES = 64 * 1024;

/** A message to systemd, in milliseconds: more than its sender waits for systemd to have read it. */
export const NOTICE_TIMEOUT_MS = 10_000;

/** How long changes of the agent's condition are gathered before systemd is told, in milliseconds. */
export const STATUS_SETTLING_MS = 1_000;

/**
 * A check, a start or a stop of a module that takes longer, in milliseconds, hangs: each of their parts has a deadline of its own, seconds to
 * a minute.
 */
export const MAX_SUPERVISOR_TASK_MS = 5 * 60 * 1_000;
