/**
 * Bounds on what the operator's side reads, sends and waits for. Those on metadata and releases are
 * ota/limits.ts.
 */

/** skerry.toml and a key file, in bytes. */
export const MAX_SETTINGS_BYTES = 65_536;
export const MAX_KEY_FILE_BYTES = 4_096;

/** Key files in one folder. */
export const MAX_KEY_FILES = 256;

/** Hash bins: their delegations have to fit into one file, their names into one snapshot. */
export const MAX_BINS = 128;

/**
 * A module's release counter that a further release may follow; and how far ahead of the newest release that devices find a counter is believed
 * that only roles list whose word on the module does not count (any more).
 */
export const MAX_RELEASE_COUNTER = 2 ** 52;
export const MAX_HIDDEN_RELEASES = 1_000_000;

/**
 * Withdrawn versions that are remembered of a module, those withdrawn last: a kilobyte, not much more than a listed release takes. Every
 * device fetches them.
 */
export const MAX_WITHDRAWN_VERSIONS = 100;

/**
 * How far the version of a team's file may be ahead of the one that the snapshot names: a release an hour for a year. Versions only rise, and a
 * last one would leave the role none.
 */
export const MAX_VERSION_JUMP = 10_000;

/** Root keys of a repository that is created. */
export const MAX_INITIAL_ROOT_KEYS = 16;

/** A key's passphrase, in UTF-16 units, and how often a person may mistype it. */
export const MIN_PASSPHRASE_LENGTH = 8;
export const MAX_PASSPHRASE_LENGTH = 1_024;
export const PASSPHRASE_ATTEMPTS = 3;

/** What scrypt may take for the key of a key file, in bytes: 8 times what is written today. */
export const MAX_SCRYPT_MEMORY_BYTES = 1024 * 1024 * 1024;

/** A CA, certificate, private-key or password file for the broker, in bytes. */
export const MAX_CREDENTIAL_BYTES = 262_144;

/** One MQTT packet from the broker: the largest payload, with room for topic and properties; in bytes. */
export const MAX_PACKET_BYTES = 65_536 + 4_096;

/** Until the broker has accepted the connection, in milliseconds. */
export const CONNECT_TIMEOUT_MS = 15_000;

/** Until the broker acknowledges one message or subscription, in milliseconds. */
export const ACKNOWLEDGE_TIMEOUT_MS = 30_000;

/**
 * Until a device has answered a message to a module, in milliseconds: a module that is being started is waited for 10 s, and may
 * take as long to deal with the message.
 */
export const ANSWER_TIMEOUT_MS = 25_000;

/** Payload of a message to a module, in bytes (stated in wit/lifecycle.wit). */
export const MAX_MODULE_MESSAGE_BYTES = 16_384;

/** What stands behind the module in the topic of such a message, in bytes. */
export const MAX_MESSAGE_PATH_BYTES = 248;

/** MQTT keep-alive, in seconds. */
export const KEEPALIVE_SECONDS = 30;

/**
 * Blobs that are compared with the broker at a time; with MAX_PAYLOAD_BYTES it bounds the traffic of one
 * round.
 */
export const BLOB_WINDOW = 32;

/** Topics in one SUBSCRIBE or UNSUBSCRIBE: what the strictest broker in wide use (AWS IoT Core) takes. */
export const SUBSCRIBE_BATCH = 8;

/** Messages that are under way to the broker at a time; 16 of 64 KiB are 1 MiB of memory. */
export const PUBLISH_WINDOW = 16;

/** Retained messages count as complete when none came for so long after the last marker, in milliseconds. */
export const RETAINED_SETTLE_MS = 100;

/** The same where the broker holds no marker to wait for. */
export const RETAINED_SETTLE_WITHOUT_MARKER_MS = 1_500;

/** Reading one set of retained messages, in milliseconds. */
export const RETAINED_TIMEOUT_MS = 120_000;

/** Rounds of publishing what a read-back found missing or different. */
export const MAX_REPAIR_ROUNDS = 3;

/** Devices in one table. */
export const MAX_DEVICES = 100_000;

/** Modules of one device in the table. */
export const MAX_MODULES_PER_DEVICE = 64;

/** A string of a device's message that is shown, in UTF-16 units. */
export const MAX_SHOWN_LENGTH = 256;

/** `skerry watch` connects again after so long, in milliseconds. */
export const RECONNECT_DELAY_MS = 2_000;

/** Folders that are searched upwards for skerry.toml. */
export const MAX_FOLDER_LEVELS = 64;

/**
 * `skerry refresh` signs again what expires sooner, if that is less than half of its lifetime, in
 * milliseconds: 30 days.
 */
export const REFRESH_MARGIN_MS = 30 * 86_400_000;

/** Root versions in one repository; a yearly rotation takes centuries. */
export const MAX_ROOTS = 256;
