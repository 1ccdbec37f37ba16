/*
 * One HTTP request, as its arguments say: METHOD http|https AUTHORITY PATH [BODY [COUNT [NAME=VALUE]...]]. The body is sent
 * COUNT times. Prints what came back, or the number of the error-code, as "handle 15", "response 6".
 *
 * Freestanding: imports and exports as the canonical ABI flattens them (http.wit).
 */

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define TYPES "wasi:http/types@0.2.8"

typedef struct { u8 *at; u32 length; } bytes;
/* result<own or list, …> where neither is aligned beyond 4; a discriminant of 0 is ok. */
typedef struct { u8 failed; bytes value; } small_result;

IMPORT("wasi:cli/environment@0.2.4", "get-arguments") void get_arguments(bytes *ret);
IMPORT("wasi:cli/stdout@0.2.4", "get-stdout") u32 get_stdout(void);
IMPORT("wasi:io/streams@0.2.4", "[method]output-stream.blocking-write-and-flush")
void stream_write(u32 stream, const u8 *at, u32 length, small_result *ret);
IMPORT("wasi:io/streams@0.2.4", "[method]input-stream.blocking-read")
void stream_read(u32 stream, u64 length, small_result *ret);
IMPORT("wasi:io/streams@0.2.4", "[resource-drop]output-stream") void drop_output(u32);
IMPORT("wasi:io/streams@0.2.4", "[resource-drop]input-stream") void drop_input(u32);
IMPORT("wasi:io/poll@0.2.4", "[method]pollable.block") void block(u32);
IMPORT("wasi:io/poll@0.2.4", "[resource-drop]pollable") void drop_pollable(u32);
IMPORT(TYPES, "[constructor]fields") u32 fields_new(void);
IMPORT(TYPES, "[method]fields.append")
void fields_append(u32 fields, const u8 *name, u32 name_length, const u8 *value, u32 value_length, small_result *ret);
IMPORT(TYPES, "[method]fields.entries") void fields_entries(u32 fields, bytes *ret);
IMPORT(TYPES, "[constructor]outgoing-request") u32 request_new(u32 fields);
IMPORT(TYPES, "[method]outgoing-request.body") void request_body(u32 request, small_result *ret);
IMPORT(TYPES, "[method]outgoing-request.set-method") u32 set_method(u32 request, u32 which, const u8 *at, u32 length);
IMPORT(TYPES, "[method]outgoing-request.set-path-with-query") u32 set_path(u32 request, u32 some, const u8 *at, u32 length);
IMPORT(TYPES, "[method]outgoing-request.set-scheme")
u32 set_scheme(u32 request, u32 some, u32 which, const u8 *at, u32 length);
IMPORT(TYPES, "[method]outgoing-request.set-authority") u32 set_authority(u32 request, u32 some, const u8 *at, u32 length);
IMPORT(TYPES, "[method]outgoing-body.write") void body_write(u32 body, small_result *ret);
IMPORT(TYPES, "[static]outgoing-body.finish") void body_finish(u32 body, u32 some, u32 trailers, u8 *ret);
IMPORT("wasi:http/outgoing-handler@0.2.8", "handle") void handle(u32 request, u32 some, u32 options, u8 *ret);
IMPORT(TYPES, "[method]future-incoming-response.subscribe") u32 future_subscribe(u32 future);
IMPORT(TYPES, "[method]future-incoming-response.get") void future_get(u32 future, u8 *ret);
IMPORT(TYPES, "[method]incoming-response.status") u32 response_status(u32 response);
IMPORT(TYPES, "[method]incoming-response.headers") u32 response_headers(u32 response);
IMPORT(TYPES, "[method]incoming-response.consume") void response_consume(u32 response, small_result *ret);
IMPORT(TYPES, "[method]incoming-body.stream") void body_stream(u32 body, small_result *ret);
IMPORT(TYPES, "[static]incoming-body.finish") u32 incoming_finish(u32 body);
IMPORT(TYPES, "[method]future-trailers.subscribe") u32 trailers_subscribe(u32 trailers);
IMPORT(TYPES, "[method]future-trailers.get") void trailers_get(u32 trailers, u8 *ret);
IMPORT(TYPES, "http-error-code") void http_error_code(u32 error, u8 *ret);

extern u8 __heap_base;
static u8 *next = &__heap_base;

__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, u32 old_size, u32 align, u32 size) {
  next = (u8 *)(((u32)next + align - 1) & ~(align - 1));
  u8 *made = next;
  next += size;
  while ((u32)next > __builtin_wasm_memory_size(0) << 16) {
    if (__builtin_wasm_memory_grow(0, 1) == (u32)-1) __builtin_trap();
  }
  for (u32 i = 0; i < old_size && i < size; i++) made[i] = ((u8 *)old)[i];
  return made;
}

static u32 out;
static void print(const u8 *at, u32 length) {
  small_result ret;
  for (u32 i = 0; i < length; i += 4096) stream_write(out, at + i, length - i < 4096 ? length - i : 4096, &ret);
}
static void text(const char *at) {
  u32 length = 0;
  while (at[length]) length++;
  print((const u8 *)at, length);
}
static void number(u32 value) {
  u8 digits[10];
  u32 first = 10;
  do digits[--first] = '0' + value % 10; while (value /= 10);
  print(digits + first, 10 - first);
}
static u32 failed(const char *what, u32 code) {
  text(what); text(" "); number(code); text("\n");
  return 1;
}
static int is(bytes one, const char *other) {
  u32 i = 0;
  for (; i < one.length && other[i]; i++) if (one.at[i] != other[i]) return 0;
  return i == one.length && !other[i];
}
static u32 parse(bytes digits) {
  u32 value = 0;
  for (u32 i = 0; i < digits.length; i++) value = value * 10 + (digits.at[i] - '0');
  return value;
}
static void print_fields(u32 fields) {
  bytes list;
  fields_entries(fields, &list);
  bytes *pair = (bytes *)list.at;
  for (u32 i = 0; i < list.length; i++, pair += 2) {
    print(pair[0].at, pair[0].length); text(": "); print(pair[1].at, pair[1].length); text("\n");
  }
}
/* Writes the body; the number of the error if the stream fails, or 0. */
static u32 send(u32 body, bytes piece, u32 count) {
  small_result ret;
  body_write(body, &ret);
  u32 stream = (u32)ret.value.at;
  for (u32 i = 0; i < count; i++) {
    stream_write(stream, piece.at, piece.length, &ret);
    if (ret.failed) {
      _Alignas(8) u8 code[64] = {0};
      if (*(u8 *)&ret.value == 0) http_error_code(ret.value.length, code);
      return failed("write", code[8]);
    }
  }
  drop_output(stream);
  _Alignas(8) u8 finished[64];
  body_finish(body, 0, 0, finished);
  return finished[0] ? failed("finish", finished[8]) : 0;
}

static u32 request(bytes *arguments, u32 count) {
  small_result ret;
  u32 fields = fields_new();
  for (u32 i = 7; i < count; i++) {
    u32 split = 0;
    while (arguments[i].at[split] != '=') split++;
    fields_append(fields, arguments[i].at, split, arguments[i].at + split + 1, arguments[i].length - split - 1, &ret);
    if (ret.failed) return failed("field", *(u8 *)&ret.value);
  }
  u32 made = request_new(fields);
  if (set_method(made, 9, arguments[1].at, arguments[1].length)) return failed("method", 0);
  if (set_scheme(made, 1, is(arguments[2], "https"), 0, 0)) return failed("scheme", 0);
  if (set_authority(made, 1, arguments[3].at, arguments[3].length)) return failed("authority", 0);
  if (set_path(made, 1, arguments[4].at, arguments[4].length)) return failed("path", 0);
  u32 body = 0;
  if (count > 5) { request_body(made, &ret); body = (u32)ret.value.at; }
  _Alignas(8) u8 answer[128];
  handle(made, 0, 0, answer);
  if (answer[0]) return failed("handle", answer[8]);
  u32 future = *(u32 *)(answer + 8);
  if (count > 5 && send(body, arguments[5], count > 6 ? parse(arguments[6]) : 1)) return 1;
  u32 pollable = future_subscribe(future);
  block(pollable);
  drop_pollable(pollable);
  future_get(future, answer);
  if (!answer[0] || answer[8]) return failed("future", 0);
  if (answer[16]) return failed("response", answer[24]);
  u32 response = *(u32 *)(answer + 24);
  text("status "); number(response_status(response)); text("\n");
  print_fields(response_headers(response));
  response_consume(response, &ret);
  u32 incoming = (u32)ret.value.at;
  body_stream(incoming, &ret);
  u32 stream = (u32)ret.value.at, total = 0;
  u8 *heap = next;
  for (;;) {
    stream_read(stream, 65536, &ret);
    if (ret.failed) {
      if (*(u8 *)&ret.value != 0) break;
      _Alignas(8) u8 code[64] = {0};
      http_error_code(ret.value.length, code);
      return failed("\nread", code[8]);
    }
    total += ret.value.length;
    if (total <= 1024) print(ret.value.at, ret.value.length);
    next = heap;
  }
  drop_input(stream);
  text("\nbytes "); number(total); text("\n");
  u32 trailers = incoming_finish(incoming);
  pollable = trailers_subscribe(trailers);
  block(pollable);
  drop_pollable(pollable);
  trailers_get(trailers, answer);
  if (!answer[0] || answer[8]) return failed("trailers", 0);
  if (answer[16]) return failed("trailers", answer[24]);
  if (answer[24]) print_fields(*(u32 *)(answer + 28));
  return 0;
}

__attribute__((export_name("wasi:cli/run@0.2.4#run"))) u32 run(void) {
  bytes arguments;
  out = get_stdout();
  get_arguments(&arguments);
  return request((bytes *)arguments.at, arguments.length);
}
