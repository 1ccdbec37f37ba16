/**
 * Bounds on what a running module may use, and on what its worker may send. The loader's own bounds are in
 * `component/limits.ts`.
 */

/** Linear memory of a module whose manifest asks for none in particular, in bytes. */
export const DEFAULT_MEMORY_BYTES = 4 * 1024 * 1024;

/** One call into a running reactor, or the time a command may compute between two host calls, in milliseconds. */
export const DEFAULT_CALL_DEADLINE_MS = 10_000;

/**
 * From the start of the worker to the end of instantiation, and once more for a reactor's `init`, in milliseconds: a slow ARM core compiles 1.6 MB of
 * code in seconds, and a JavaScript engine takes more than ten to set itself up there.
 */
export const DEFAULT_START_DEADLINE_MS = 60_000;

/** Calls of sensors, ports and messaging, per second; further ones wait. */
export const DEFAULT_HOST_CALLS_PER_SECOND = 200;

/** Lines of stdout and stderr, per second; further ones are dropped and counted. */
export const DEFAULT_LOG_LINES_PER_SECOND = 20;

/** Bytes of those lines, in UTF-8, per second; the same. */
export const DEFAULT_LOG_BYTES_PER_SECOND = 8 * 1024;

/** Log lines and bytes that may come at once, in seconds of their rates: a start prints a banner, a trap its backtrace. */
export const LOG_BURST_SECONDS = 2;

/** How far the agent's side lets a worker go beyond the log rates that the worker itself keeps, as a factor. */
export const LOG_SLACK = 4;

/** Between two reports of the same limit of a module, in milliseconds. */
export const LIMIT_REPORT_PAUSE_MS = 60_000;

/** Messages published, per second; further ones are answered with `rate-limited`. */
export const DEFAULT_MESSAGES_PER_SECOND = 20;

/** Bytes published (topics and payloads), per second; further ones are answered with `rate-limited`. */
export const DEFAULT_MESSAGE_BYTES_PER_SECOND = 64 * 1024;

/** Messages to a module, per second; further ones are dropped and counted. */
export const DEFAULT_RECEIVED_MESSAGES_PER_SECOND = 50;

/** Messages that wait until a module has dealt with those before: their number, and bytes (topics and payloads). */
export const MAX_WAITING_MESSAGES = 32;
export const MAX_WAITING_MESSAGE_BYTES = 128 * 1024;

/** JavaScript heap of a module's worker, in MiB: host objects, handle tables, not linear memory. */
export const DEFAULT_HEAP_MIB = 24;

/** Young generation of that heap, in MiB: a module makes little garbage, and idle semi-spaces cost memory. */
export const WORKER_YOUNG_GENERATION_MIB = 1;

/** Stack of a module's worker, in MiB. Node gives the thread 4 MiB in all. */
export const WORKER_STACK_MIB = 2;

/** Elements of all tables of one component together. */
export const MAX_TABLE_ELEMENTS = 100_000;

/**
 * Keys of wasi:keyvalue, in bytes of UTF-8 (twice that is a file's name), their values, in bytes, what one batch reads, in bytes, and
 * how many keys one page lists.
 */
export const MAX_KEYVALUE_KEY_BYTES = 120;
export const MAX_KEYVALUE_BYTES = 64 * 1024;
export const MAX_KEYVALUE_BATCH_BYTES = 1024 * 1024;
export const KEYVALUE_KEYS_PER_PAGE = 100;

/** One message of wasi:logging, with its context, in characters: what is longer is cut. */
export const MAX_LOG_MESSAGE_LENGTH = 16 * 1024;

/** Sensors and ports that one module holds open at a time. */
export const MAX_OPEN_HANDLES = 32;

/** Payload of one message, published or received, in bytes (stated in wit/messaging.wit and wit/lifecycle.wit). */
export const MAX_MESSAGE_BYTES = 16 * 1024;

/** Topic of one message, in bytes (stated in wit/messaging.wit). */
export const MAX_TOPIC_BYTES = 256;

/** One serial read or write, in bytes (stated in wit/deps/skerry-device/serial.wit). */
export const MAX_SERIAL_BYTES = 4096;

/** Longest wait of one serial read, in milliseconds (stated in wit/deps/skerry-device/serial.wit). */
export const MAX_SERIAL_TIMEOUT_MS = 10_000;

/** How long the end of a module waits for a port that is still being opened for it, in milliseconds. */
export const OPENING_TIMEOUT_MS = 2_000;

/** One read of standard input by a module that is run by hand, in bytes. */
export const MAX_STDIN_BYTES = 4096;

/** Longest wait for standard input before the worker asks again, in milliseconds: timers fire at once beyond 2^31. */
export const MAX_STDIN_WAIT_MS = 60_000;

/** Files, folders and folder listings that one module holds open at a time; each takes one of the process's descriptors. */
export const MAX_OPEN_FILES = 128;

/** What a stream or a file takes or gives at once, in bytes: it is copied on its way. A module that asks for more gets as much. */
export const MAX_STREAM_PIECE_BYTES = 256 * 1024;

/** A path, and what a symbolic link says, in bytes: Linux's PATH_MAX without its zero. */
export const MAX_PATH_BYTES = 4095;

/** Folders that a path goes down at a time: each is open while the path is walked. */
export const MAX_PATH_DEPTH_LEVELS = 256;

/**
 * What a module may write to a folder with a quota, in bytes per second and at once: 2.6 GiB a day, so that an SD card
 * of 8 GB, good for a thousand times its size, lasts eight years. Calls that go beyond it wait.
 */
export const DEFAULT_WRITTEN_BYTES_PER_SECOND = 32 * 1024;
export const WRITTEN_BURST_BYTES = 4 * 1024 * 1024;

/** What a change of a folder's entries, or what is made durable at once, counts as having written, in bytes: a page of flash. */
export const WRITTEN_PAGE_BYTES = 4096;

/** Folders in each other in a folder with a quota: with names of 255 bytes the agent's own paths to them still fit. */
export const MAX_FOLDER_DEPTH_LEVELS = 12;

/** Symbolic links that one path may lead over: Linux's own number. */
export const MAX_SYMBOLIC_LINKS = 40;

/** Files of which the times that a module set are kept exactly. */
export const MAX_EXACT_TIMES = 1024;

/** One log line, in UTF-16 code units; longer ones are cut. */
export const MAX_LOG_LINE_LENGTH = 1024;

/** Message, stack or reason that the worker reports with an end or an error, in UTF-16 code units; longer ones are cut. */
export const MAX_REPORT_LENGTH = 4096;

/** Frames of a stack that a trap reports, those of the host included. */
export const MAX_STACK_FRAMES = 32;

/** Name of a function in such a frame, in UTF-16 code units; longer ones are cut. */
export const MAX_FRAME_NAME_LENGTH = 100;

/** Name of a sensor or a port, in UTF-16 code units. */
export const MAX_DEVICE_NAME_LENGTH = 128;

/** A frame of the channel, in bytes, in either direction. */
export const MAX_FRAME_BYTES = 64 * 1024;

/** The one that tells a worker what to run, in bytes: variables, values for wasi:config, rules of the network, arguments. */
export const MAX_START_BYTES = 128 * 1024;

/** A reply to a blocking call, in bytes: a serial read and what describes it. */
export const MAX_REPLY_BYTES = 8 * 1024;

/**
 * Random bytes in one call, in bytes: what a guest asks for is allocated at once. A module with much memory may ask for its memory
 * divided by this, if that is more.
 */
export const MAX_RANDOM_BYTES = 1024 * 1024;
export const RANDOM_MEMORY_DIVISOR = 16;

/** Unit of a sensor's reading, in UTF-16 code units. */
export const MAX_UNIT_LENGTH = 64;

/** Calls of the network that a module makes, per second; further ones wait. */
export const DEFAULT_NETWORK_CALLS_PER_SECOND = 1000;

/** Sockets, lookups and HTTP requests that a module has open at a time, all together. */
export const MAX_OPEN_SOCKETS = 16;

/** HTTP requests among them: each costs two buffers, and a TLS session. */
export const MAX_HTTP_REQUESTS = 4;

/** What a socket holds for a module that does not read, and takes before a far end that does not, each, in bytes. */
export const MAX_SOCKET_BUFFER_BYTES = 16 * 1024;

/** Connections that a listening socket holds until the module accepts them; further ones are closed. */
export const MAX_PENDING_CONNECTIONS = 8;

/** One datagram, in bytes: with what describes it, it fits into a frame. */
export const MAX_DATAGRAM_BYTES = 60 * 1024;

/** Datagrams that a socket holds until the module receives them; further ones are lost, as on the network. */
export const MAX_QUEUED_DATAGRAMS = 16;

/** Bytes of those datagrams, together; at least one is held. */
export const MAX_DATAGRAM_QUEUE_BYTES = 64 * 1024;

/** Senders that a listening UDP socket has heard and may answer; the oldest are forgotten. */
export const MAX_HEARD_SENDERS = 64;

/** Time to connect, in milliseconds. */
export const MAX_CONNECT_MS = 30_000;

/** Time to look a name up, in milliseconds. */
export const MAX_LOOKUP_MS = 10_000;

/** Lookups of one module at the system's resolver, those included that it no longer waits for: threads do them. */
export const MAX_LOOKUPS = 2;

/** Addresses of one name that are used. */
export const MAX_ADDRESSES_PER_NAME = 32;

/** Addresses that names of the allow-list led to, kept per module; the oldest are forgotten. */
export const MAX_RESOLVED_ADDRESSES = 256;

/** Time that a closed connection has to send what was written, in milliseconds; it counts as open meanwhile. */
export const MAX_LINGER_MS = 2_000;

/** A host's name, in UTF-16 code units (RFC 1035). */
export const MAX_HOST_NAME_LENGTH = 253;

export const MAX_PORT = 65_535;

/** Headers, or trailers, of one HTTP message, in bytes of the channel's encoding (four more than name and value, each). */
export const MAX_HTTP_HEADER_BYTES = 16 * 1024;

/** Headers, or trailers, of one HTTP message. */
export const MAX_HTTP_HEADERS = 128;

/** Path and query of an HTTP request, in UTF-16 code units. */
export const MAX_URI_LENGTH = 8 * 1024;

/** Time for the first byte of an HTTP response and between two, in milliseconds, unless the module says how long. */
export const DEFAULT_HTTP_WAIT_MS = 60_000;

/** The longest that a module may say for it, in milliseconds. */
export const MAX_HTTP_WAIT_MS = 600_000;

/** What one call reads from the network, in bytes: with what describes it, it fits into a reply. */
export const MAX_NETWORK_PIECE_BYTES = 7 * 1024;

/** One wait for the network before the worker asks again, in milliseconds. */
export const MAX_NETWORK_WAIT_MS = 60_000;

/** What one wait is for: each open socket, with each of its interests. */
export const MAX_NETWORK_WAITS = 64;

/** Between two looks at standard input while a module that is run by hand waits for the network too, in milliseconds. */
export const STDIN_LOOK_MS = 20;
