/*
 * A `wasi:cli/command` in C on wasi-libc, by way of the preview-1 adapter: the C library's files, folders, links, times,
 * arguments, environment, standard input and random numbers. With GUEST_VARIABLE=files it works below the folder "/data",
 * with GUEST_VARIABLE=trap it traps.
 *
 * Returns the code that its argument `exit=N` names (WASI 0.2 makes 1 of all but 0); a check that fails is printed with its
 * line, and the code is 1.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CHECK(condition)                                                                       \
  do {                                                                                         \
    if (!(condition)) {                                                                        \
      printf("line %d: %s (errno %d: %s)\n", __LINE__, #condition, errno, strerror(errno));    \
      exit(1);                                                                                 \
    }                                                                                          \
  } while (0)

#define FAILS(call, wanted) CHECK((call) == -1 && errno == (wanted))

static void files(void) {
  int file = open("/data/file", O_RDWR | O_CREAT | O_EXCL, 0666);
  CHECK(file >= 0);
  CHECK(write(file, "0123456789", 10) == 10);
  CHECK(pwrite(file, "ab", 2, 4) == 2);
  char text[16] = "";
  CHECK(pread(file, text, sizeof text, 0) == 10 && memcmp(text, "0123ab6789", 10) == 0);
  CHECK(lseek(file, -2, SEEK_END) == 8 && read(file, text, sizeof text) == 2 && memcmp(text, "89", 2) == 0);
  CHECK(read(file, text, sizeof text) == 0);
  CHECK(ftruncate(file, 4) == 0 && lseek(file, 0, SEEK_END) == 4);
  CHECK(fsync(file) == 0 && fdatasync(file) == 0);
  struct timespec times[2] = {{1000000000, 1}, {1234567890, 123456789}};
  CHECK(futimens(file, times) == 0);
  struct stat status;
  CHECK(fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_size == 4 && status.st_nlink == 1);
  CHECK(status.st_mtim.tv_sec == 1234567890 && status.st_mtim.tv_nsec == 123456789);
  CHECK(status.st_atim.tv_sec == 1000000000 && status.st_atim.tv_nsec == 1);
  CHECK(close(file) == 0);
  FAILS(open("/data/file", O_RDWR | O_CREAT | O_EXCL, 0666), EEXIST);
  FAILS(open("/data/file", O_RDONLY | O_DIRECTORY), ENOTDIR);
  FAILS(open("/data/absent", O_RDONLY), ENOENT);
  FILE *stream = fopen("/data/file", "a");
  CHECK(stream != NULL && fputs(" appended\n", stream) >= 0 && fclose(stream) == 0);
  CHECK(stat("/data/file", &status) == 0 && status.st_size == 14);
}

static void folders(void) {
  CHECK(mkdir("/data/folder", 0777) == 0);
  FAILS(mkdir("/data/folder", 0777), EEXIST);
  FAILS(unlink("/data/file/"), ENOTDIR);
  CHECK(rename("/data/file", "/data/folder/file") == 0);
  FAILS(rmdir("/data/folder"), ENOTEMPTY);
  FAILS(rmdir("/data/folder/file"), ENOTDIR);
  CHECK(mkdir("/data/other", 0777) == 0);
  FAILS(rename("/data/other", "/data/folder"), ENOTEMPTY);
  FAILS(rename("/data/folder/file", "/data/other"), EISDIR);
  FAILS(rename("/data/folder", "/data/folder/inner"), EINVAL);
  DIR *folder = opendir("/data");
  CHECK(folder != NULL);
  int seen = 0;
  for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    CHECK(entry->d_type == DT_DIR);
    seen += 1;
  }
  CHECK(seen == 2 && closedir(folder) == 0);
  CHECK(rmdir("/data/other") == 0);
}

static void links(void) {
  char target[32] = "";
  struct stat status;
  CHECK(symlink("folder/file", "/data/link") == 0);
  CHECK(readlink("/data/link", target, sizeof target) == 11 && strcmp(target, "folder/file") == 0);
  CHECK(lstat("/data/link", &status) == 0 && S_ISLNK(status.st_mode));
  CHECK(stat("/data/link", &status) == 0 && S_ISREG(status.st_mode));
  CHECK(link("/data/folder/file", "/data/twin") == 0 && stat("/data/twin", &status) == 0 && status.st_nlink == 2);
  CHECK(unlink("/data/twin") == 0);
  CHECK(symlink("turn", "/data/round") == 0 && symlink("round", "/data/turn") == 0);
  FAILS(open("/data/round", O_RDONLY), ELOOP);
  FAILS(open("/data/link", O_RDONLY | O_NOFOLLOW), ELOOP);
  CHECK(symlink("../..", "/data/up") == 0);
  FAILS(open("/data/up/etc/passwd", O_RDONLY), EPERM);
  FAILS(symlink("/etc/passwd", "/data/absolute"), EPERM);
  CHECK(unlink("/data/up") == 0 && unlink("/data/round") == 0 && unlink("/data/turn") == 0);
  CHECK(unlink("/data/link") == 0 && unlink("/data/folder/file") == 0 && rmdir("/data/folder") == 0);
}

static void others(void) {
  unsigned char first[16], second[16];
  CHECK(getentropy(first, sizeof first) == 0 && getentropy(second, sizeof second) == 0);
  CHECK(memcmp(first, second, sizeof first) != 0);
  struct timespec before, after, pause = {0, 5000000};
  CHECK(clock_gettime(CLOCK_MONOTONIC, &before) == 0 && nanosleep(&pause, NULL) == 0);
  CHECK(clock_gettime(CLOCK_MONOTONIC, &after) == 0);
  CHECK((after.tv_sec - before.tv_sec) * 1000000000LL + after.tv_nsec - before.tv_nsec >= 5000000);
  CHECK(time(NULL) > 1700000000 && !isatty(STDOUT_FILENO));
}

__attribute__((noinline)) static void deeper(int levels) {
  if (levels == 0) __builtin_trap();
  deeper(levels - 1);
  printf("never printed\n");
}

int main(int argc, char **argv) {
  int code = 0;
  for (int index = 1; index < argc; index += 1) {
    printf("argument %d: %s\n", index, argv[index]);
    if (strncmp(argv[index], "exit=", 5) == 0) code = atoi(argv[index] + 5);
  }
  const char *variable = getenv("GUEST_VARIABLE");
  if (variable != NULL && strcmp(variable, "trap") == 0) {
    fputs("about to trap\n", stderr);
    deeper(3);
  }
  if (variable != NULL && strcmp(variable, "files") == 0) {
    files();
    folders();
    links();
    puts("files: ok");
  }
  printf("variable: %s\n", variable == NULL ? "(none)" : variable);
  others();
  int bytes = 0, sum = 0;
  for (int byte; (byte = getchar()) != EOF; bytes += 1) sum = (sum + byte) % 65521;
  printf("input: %d bytes, sum %d\n", bytes, sum);
  fprintf(stderr, "to standard error\n");
  return code;
}
