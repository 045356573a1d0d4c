/* Programs that do what tracers stumble over: each argument names a row, which prints its name, how many milliseconds it
   took on the program's clock, and a result. Rows "for_ever" do not end. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void pause_ms(long ms) { struct timespec t = {ms / 1000, ms % 1000 * 1000000}; while (nanosleep(&t, &t)) {} }
static long now_ms(void) { struct timespec t; syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t); return t.tv_sec * 1000 + t.tv_nsec / 1000000; }
static char **arguments, *path;
static long began;
static const char *name;
static void told(long result) { char line[200]; int n = snprintf(line, sizeof line, "%s %ld %ld\n", name, now_ms() - began, result); write(1, line, n); }

/* Who refuses dumps guards its memory. */
static long without_dumps(void) { prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); pause_ms(137); return 0; }

static long that_wants_to_be_traced(void) { long own = ptrace(PTRACE_TRACEME, 0, 0, 0) < 0 ? errno : 0; pause_ms(137); return own; }

static long child_that_traces_its_parent(void) {
    pid_t parent = getpid(), child = fork();
    if (!child) { pause_ms(37); _exit(ptrace(PTRACE_ATTACH, parent, 0, 0) < 0 ? errno : 0); }
    int status; waitpid(child, &status, 0); pause_ms(100);
    return WEXITSTATUS(status);
}

/* A filter of its own that refuses getppid with EXDEV, and what else it traces is nobody's business. */
static long with_a_filter_of_its_own(void) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EXDEV),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getuid, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE | 77),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) return -errno;
    pause_ms(137);
    long uid = syscall(SYS_getuid);
    return syscall(SYS_getppid) < 0 && uid >= 0 ? errno : -1;
}

static long many_children(void) {
    int ended = 0;
    for (int i = 0; i < 200; i++) if (!fork()) { pause_ms(137); _exit(0); }
    while (wait(0) > 0) ended++;
    return ended;
}

/* A child that has left its parent's group and session, and an orphan of it. */
static long children_that_leave(void) {
    int ends[2]; pipe(ends);
    if (!fork()) { setsid(); if (!fork()) { pause_ms(137); write(ends[1], "x", 1); _exit(0); } _exit(0); }
    wait(0); char byte; return read(ends[0], &byte, 1);
}

static void *become(void *unused) { (void)unused; pause_ms(37); execv(path, arguments); return 0; }
static char *again[] = {"hostile", "after_exec", 0};
static long exec_of_another_thread(void) { arguments = again; pthread_t t; pthread_create(&t, 0, become, 0); pause_ms(100000); return -1; }
static long exec_after_the_first_thread(void) { arguments = again; pthread_t t; pthread_create(&t, 0, become, 0); pthread_exit(0); }
static long after_exec(void) { pause_ms(100); return 0; }

static long stopped_and_continued_all_the_time(void) {
    pid_t parent = getpid(), child = fork();
    if (!child) { for (int i = 0; i < 500; i++) { kill(parent, SIGSTOP); kill(parent, SIGCONT); } pause_ms(20); kill(parent, SIGCONT); _exit(0); }
    int status; while (waitpid(child, &status, 0) < 0) {}
    pause_ms(117);
    return status;
}

static int values[64], count;
static void took(int signal, siginfo_t *info, void *context) { (void)signal; (void)context; if (count < 64) values[count++] = info->si_value.sival_int; }
/* They come in order, and with what was sent. */
static long real_time_signals(void) {
    struct sigaction action = {.sa_sigaction = took, .sa_flags = SA_SIGINFO | SA_RESTART}; sigaction(SIGRTMIN + 3, &action, 0);
    pid_t parent = getpid();
    if (!fork()) { for (int i = 0; i < 50; i++) sigqueue(parent, SIGRTMIN + 3, (union sigval){.sival_int = 1000 + i}); _exit(0); }
    wait(0); pause_ms(137);
    for (int i = 0; i < 50; i++) if (values[i] != 1000 + i) return -i;
    return count;
}

static long without_descriptors(void) { syscall(SYS_close_range, 3, ~0u, 0); close(2); pause_ms(137); return open("/dev/urandom", O_RDONLY); }

/* Calls by the old instruction have the numbers, and the structures, of 32 bits. */
static long calls_of_32_bits(void) {
    uint32_t *low = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    low[0] = 0; low[1] = 5000000;
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(162), "b"(low), "c"(0) : "memory", "r8", "r9", "r10", "r11");
    return result;
}

/* A timerfd that was closed while it was armed is another one's business no more. */
static long number_of_a_timer_used_again(void) {
    struct itimerspec soon = {{0, 0}, {0, 50000000}};
    int fd = timerfd_create(CLOCK_MONOTONIC, 0); timerfd_settime(fd, 0, &soon, 0); close(fd);
    int other = timerfd_create(CLOCK_MONOTONIC, 0);
    struct pollfd one = {other, POLLIN, 0};
    return fd == other ? poll(&one, 1, 137) : -1;
}

/* It goes off once, whichever of its numbers it was set by. */
static long timer_of_two_numbers(void) {
    struct itimerspec soon = {{0, 0}, {0, 50000000}}, later = {{0, 0}, {0, 137000000}};
    int fd = timerfd_create(CLOCK_MONOTONIC, 0), other = dup(fd);
    timerfd_settime(fd, 0, &soon, 0); timerfd_settime(other, 0, &later, 0);
    uint64_t times; read(fd, &times, 8); return times;
}

/* A timer that a child inherits goes off for it, though its parent closes it. */
static long timer_that_a_child_keeps(void) {
    struct itimerspec soon = {{0, 0}, {0, 137000000}};
    int fd = timerfd_create(CLOCK_MONOTONIC, 0), status; timerfd_settime(fd, 0, &soon, 0);
    pid_t child = fork();
    if (!child) { uint64_t times; read(fd, &times, 8); _exit(times); }
    close(fd); waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}

static long looking_at_the_clock_for_ever(void) { for (;;) now_ms(); }
static long looking_at_it_without_a_call_for_ever(void) { struct timespec t; for (;;) clock_gettime(CLOCK_MONOTONIC, &t); }
static long asking_for_randomness_for_ever(void) { char byte; for (;;) syscall(SYS_getrandom, &byte, 1, 0); }
static long sleeping_for_no_time_for_ever(void) { struct timespec t = {0, 0}; for (;;) nanosleep(&t, 0); }
static long opening_files_for_ever(void) { for (;;) close(open("/dev/null", O_RDONLY)); }
static long starting_processes_for_ever(void) { for (;;) { pid_t child = fork(); if (!child) _exit(0); waitpid(child, 0, 0); } }
static void *nothing(void *unused) { return unused; }
static long starting_threads_for_ever(void) { for (;;) { pthread_t t; if (!pthread_create(&t, 0, nothing, 0)) pthread_join(t, 0); } }
static long signalling_itself_for_ever(void) { signal(SIGUSR1, SIG_IGN); for (;;) raise(SIGUSR1); }
static long computing_for_ever(void) { for (volatile int i = 0;; i++) {} }
static long yielding_for_ever(void) { for (;;) sched_yield(); }
static long handing_a_byte_to_and_fro_for_ever(void) {
    int there[2], back[2]; char byte = 'x'; pipe(there); pipe(back);
    if (!fork()) { prctl(PR_SET_PDEATHSIG, SIGKILL); for (;;) { read(there[0], &byte, 1); write(back[1], &byte, 1); } }
    for (;;) { write(there[1], &byte, 1); read(back[0], &byte, 1); }
}

#define ROW(name) {#name, name}
static const struct { const char *name; long (*row)(void); } rows[] = {
    ROW(without_dumps), ROW(that_wants_to_be_traced), ROW(child_that_traces_its_parent), ROW(with_a_filter_of_its_own), ROW(many_children),
    ROW(children_that_leave), ROW(exec_of_another_thread), ROW(exec_after_the_first_thread), ROW(after_exec),
    ROW(stopped_and_continued_all_the_time), ROW(real_time_signals), ROW(without_descriptors), ROW(calls_of_32_bits),
    ROW(number_of_a_timer_used_again), ROW(timer_of_two_numbers), ROW(timer_that_a_child_keeps),
    ROW(looking_at_the_clock_for_ever), ROW(looking_at_it_without_a_call_for_ever), ROW(asking_for_randomness_for_ever),
    ROW(sleeping_for_no_time_for_ever), ROW(opening_files_for_ever), ROW(starting_processes_for_ever), ROW(starting_threads_for_ever),
    ROW(signalling_itself_for_ever), ROW(computing_for_ever), ROW(yielding_for_ever), ROW(handing_a_byte_to_and_fro_for_ever)};

int main(int argc, char **argv) {
    path = argv[0];
    for (int i = 1; i < argc; i++)
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
            if (!strcmp(argv[i], rows[r].name)) { name = argv[i]; began = now_ms(); told(rows[r].row()); }
    return 0;
}
