/* A load generator that costs next to nothing: one thread, epoll, keep-alive, a full decoder of chunked answers.
 *
 *   load -t tcp:PORT|unix:PATH -k KEY_FILE [-n CONNECTIONS] [-r REQUESTS_EACH] [-e EVENTS] [-s EVENTS_PER_S]
 *        [-m MODEL] [-g STAGGER_MS] [-d STOP_AFTER_MS] [-j] [-T LIMIT_S]
 *
 * -s 0 floods; -s -1 leaves the speed out of the request (a real engine); -j asks for JSON instead of a stream;
 * -g spreads the first requests evenly; -d starts no new request after so long.
 * Prints one JSON object. Only complete answers count: a stream must hold all its events, finish_reason "length",
 * [DONE] and the end of its chunks. `first_ms` is from the request's send to the first byte of the answer's body;
 * `delay_ms` is from the engine's stamp in an event to its arrival here or, without stamps, between two events.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { BODY_BYTES = 1 << 19, MAX_SAMPLES = 4000000, MAX_FAILURES = 200 };
typedef enum { HEADERS, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER, FIXED } Part;

typedef struct {
    int fd, requests, is_busy;
    uint64_t start_ns, sent_ns, last_event_ns;
    Part part;
    long left;                         /* bytes of the chunk or of the body */
    int status, stamps, is_finished, is_done;
    int body_length, line_length;
    char body[BODY_BYTES], line[8192]; /* event or answer so far; header or chunk-size line so far */
} Connection;

typedef struct {
    float *ms;
    int count;
} Samples;

static const char *target = "", *model = "m";
static int count = 1, requests_each = 1, events = 10, speed = -1, stagger_ms, stop_after_ms, wants_json, limit_s = 60;
static char request[4096];
static int request_length, poller, pending_connections, completed, failed;
static long good_events;
static Connection *connections;
static Samples first, delay;
static uint64_t began_ns, ended_ns;

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void add_sample(Samples *s, uint64_t from, uint64_t to) {
    if (s->count < MAX_SAMPLES) s->ms[s->count++] = to > from ? (float)(to - from) / 1e6f : 0.0f;
}

static int by_size(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Value below which a share of the sorted samples lies (nearest rank). */
static double quantile(const Samples *s, double share) {
    return s->count ? (double)s->ms[(int)(share * (s->count - 1) + 0.5)] : 0.0;
}

static int open_target(void) {
    struct sockaddr_un u = {.sun_family = AF_UNIX};
    struct sockaddr_in t = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int is_unix = !strncmp(target, "unix:", 5), on = 1, fd = socket(is_unix ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (is_unix) snprintf(u.sun_path, sizeof u.sun_path, "%s", target + 5);
    else t.sin_port = htons((uint16_t)atoi(target + 4));
    if (connect(fd, is_unix ? (struct sockaddr *)&u : (struct sockaddr *)&t, is_unix ? sizeof u : sizeof t)) die("connect");
    if (!is_unix) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static void attach(Connection *c) {
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    c->fd = open_target();
    if (epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &e)) die("epoll");
}

static void make_request(const char *key_path) {
    char key[256] = "", body[2048], rate[32] = "";
    FILE *file = fopen(key_path, "r");
    if (file == NULL || fscanf(file, "%255s", key) != 1) die(key_path);
    fclose(file);
    if (speed >= 0) snprintf(rate, sizeof rate, "\"seed\":%d,", speed);
    int n = snprintf(body, sizeof body,
                     "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"How do I start a session, and what does it show while "
                     "the model loads? Please tell me in order.\"}],\"max_tokens\":%d,%s\"ignore_eos\":true,\"temperature\":0,\"stream\":%s}",
                     model, events, rate, wants_json ? "false" : "true");
    request_length = snprintf(request, sizeof request,
                              "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\nAccept: application/json\r\n"
                              "Content-Type: application/json\r\nUser-Agent: load\r\nContent-Length: %d\r\n\r\n%s", key, n, body);
}

/* Starts the connection's next request, or retires it when it has done its share. */
static void start_request(Connection *c, uint64_t now) {
    int is_late = stop_after_ms && now - began_ns > (uint64_t)stop_after_ms * 1000000u;
    c->is_busy = 0;
    if (c->requests >= requests_each || is_late) {
        c->requests = requests_each;
        pending_connections--;
        return;
    }
    c->requests++;
    c->is_busy = 1;
    c->part = HEADERS;
    c->body_length = c->line_length = c->stamps = c->is_finished = c->is_done = 0;
    c->last_event_ns = 0;
    c->sent_ns = now_ns();
    if (send(c->fd, request, (size_t)request_length, MSG_NOSIGNAL) != request_length) die("send");
}

static void end_answer(Connection *c, int is_good, uint64_t now) {
    completed += is_good;
    failed += !is_good;
    ended_ns = now;
    if (is_good) good_events += wants_json ? 1 : events;
    if (failed > MAX_FAILURES) limit_s = 0;
    start_request(c, now);
}

static void reopen(Connection *c, uint64_t now) {
    close(c->fd);
    attach(c);
    if (c->is_busy) end_answer(c, 0, now);
}

static void take_event(Connection *c, const char *text, size_t length, uint64_t now) {
    static const char STAMP[] = "\"content\":\"T", FINISH[] = "\"finish_reason\":\"length\"";
    if (length < 6 || memcmp(text, "data: ", 6)) return; /* a heartbeat's comment */
    if (length >= 12 && !memcmp(text + 6, "[DONE]", 6)) {
        c->is_done = 1;
        return;
    }
    const char *stamp = memmem(text, length, STAMP, sizeof STAMP - 1);
    if (stamp != NULL && speed >= 0) {
        add_sample(&delay, strtoull(stamp + sizeof STAMP - 1, NULL, 10), now);
        c->stamps++;
    } else if (speed < 0 && c->last_event_ns) {
        add_sample(&delay, c->last_event_ns, now);
    }
    c->last_event_ns = now;
    if (memmem(text, length, FINISH, sizeof FINISH - 1)) c->is_finished = 1;
}

/* Takes decoded bytes of the body and cuts them into events. */
static void take_body(Connection *c, const char *data, size_t length, uint64_t now) {
    if (c->body_length == 0 && c->last_event_ns == 0) add_sample(&first, c->sent_ns, now);
    if (c->body_length + (int)length >= BODY_BYTES) c->body_length = 0; /* spoilt: it won't be complete */
    if (length >= BODY_BYTES) return;
    memcpy(c->body + c->body_length, data, length);
    c->body_length += (int)length;
    if (wants_json) return;
    char *at = c->body, *end = c->body + c->body_length, *stop;
    while ((stop = memmem(at, (size_t)(end - at), "\n\n", 2)) != NULL) {
        take_event(c, at, (size_t)(stop - at), now);
        at = stop + 2;
    }
    c->body_length = (int)(end - at);
    memmove(c->body, at, (size_t)c->body_length);
}

static int is_complete(Connection *c) {
    if (c->status != 200) return 0;
    if (wants_json) return memmem(c->body, (size_t)c->body_length, "\"object\":\"chat.completion\"", 26) != NULL;
    return c->is_finished && c->is_done && c->body_length == 0 && (speed < 0 || c->stamps == events);
}

static void take_headers(Connection *c) {
    const char *length = strcasestr(c->line, "\r\ncontent-length:");
    c->status = atoi(c->line + 9);
    c->left = length ? strtol(length + 17, NULL, 10) : 0;
    c->part = strcasestr(c->line, "\r\ntransfer-encoding: chunked") ? CHUNK_SIZE : FIXED;
    c->line_length = 0;
}

/* Adds one byte to the line; 1 when it ends what is waited for: a header block or one line. */
static int add_to_line(Connection *c, char byte) {
    if (c->line_length < (int)sizeof c->line - 1) c->line[c->line_length++] = byte;
    c->line[c->line_length] = 0;
    if (byte != '\n') return 0;
    return c->part != HEADERS || (c->line_length >= 4 && !memcmp(c->line + c->line_length - 4, "\r\n\r\n", 4));
}

static void take_line(Connection *c, uint64_t now) {
    if (c->part == HEADERS) {
        take_headers(c);
        if (c->part == FIXED && c->left == 0) end_answer(c, 0, now);
        return;
    }
    int is_empty = c->line_length <= 2;
    if (c->part == CHUNK_SIZE) {
        c->left = strtol(c->line, NULL, 16);
        c->part = c->left ? CHUNK_DATA : TRAILER;
    } else if (c->part == CHUNK_END) {
        c->part = CHUNK_SIZE;
    } else if (is_empty) { /* the end of the trailer */
        end_answer(c, is_complete(c), now);
        return;
    }
    c->line_length = 0;
}

static void decode(Connection *c, const char *at, const char *end, uint64_t now) {
    while (at < end && c->is_busy) {
        if (c->part != CHUNK_DATA && c->part != FIXED) {
            if (add_to_line(c, *at++)) take_line(c, now);
            continue;
        }
        size_t n = (size_t)(end - at) < (size_t)c->left ? (size_t)(end - at) : (size_t)c->left;
        take_body(c, at, n, now);
        at += n;
        c->left -= (long)n;
        if (c->left) return;
        if (c->part == FIXED) end_answer(c, is_complete(c), now);
        else c->part = CHUNK_END;
    }
}

static void take_bytes(Connection *c) {
    static char bytes[1 << 18];
    ssize_t n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    uint64_t now = now_ns();
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (n <= 0) reopen(c, now);
    else decode(c, bytes, bytes + n, now);
}

/* Starts the requests whose time has come; returns ms to the next one, -1 when all are under way. */
static int start_due(int *started, uint64_t now) {
    while (*started < count && connections[*started].start_ns <= now) start_request(&connections[(*started)++], now);
    return *started < count ? (int)((connections[*started].start_ns - now) / 1000000u) : -1;
}

static void run(void) {
    struct epoll_event ready[256];
    int started = 0;
    began_ns = ended_ns = now_ns();
    for (int i = 0; i < count; i++) connections[i].start_ns = began_ns + (uint64_t)i * (uint64_t)stagger_ms * 1000000u / (uint64_t)count;
    while (pending_connections > 0) {
        uint64_t now = now_ns();
        if (now - began_ns > (uint64_t)limit_s * 1000000000u) return;
        int wait_ms = start_due(&started, now);
        int n = epoll_wait(poller, ready, 256, wait_ms < 0 || wait_ms > 200 ? 200 : wait_ms);
        for (int i = 0; i < n; i++) take_bytes(ready[i].data.ptr);
    }
}

static void report(void) {
    int unfinished = 0;
    for (int i = 0; i < count; i++) unfinished += connections[i].is_busy;
    qsort(first.ms, (size_t)first.count, sizeof *first.ms, by_size);
    qsort(delay.ms, (size_t)delay.count, sizeof *delay.ms, by_size);
    printf("{\"elapsed_s\":%.6f,\"completed\":%d,\"failed\":%d,\"events\":%ld,\"first_ms\":{\"p50\":%.4f,\"p99\":%.4f,\"count\":%d},"
           "\"delay_ms\":{\"p50\":%.4f,\"p99\":%.4f,\"count\":%d}}\n",
           (double)(ended_ns - began_ns) / 1e9, completed, failed + unfinished, good_events, quantile(&first, 0.5), quantile(&first, 0.99),
           first.count, quantile(&delay, 0.5), quantile(&delay, 0.99), delay.count);
}

int main(int argc, char **argv) {
    const char *key_path = "";
    for (int o; (o = getopt(argc, argv, "t:k:n:r:e:s:m:g:d:T:j")) != -1;) switch (o) {
            case 't': target = optarg; break;
            case 'k': key_path = optarg; break;
            case 'n': count = atoi(optarg); break;
            case 'r': requests_each = atoi(optarg); break;
            case 'e': events = atoi(optarg); break;
            case 's': speed = atoi(optarg); break;
            case 'm': model = optarg; break;
            case 'g': stagger_ms = atoi(optarg); break;
            case 'd': stop_after_ms = atoi(optarg); break;
            case 'T': limit_s = atoi(optarg); break;
            case 'j': wants_json = 1; break;
            default: return 2;
        }
    connections = calloc((size_t)count, sizeof *connections);
    first.ms = malloc(MAX_SAMPLES * sizeof *first.ms);
    delay.ms = malloc(MAX_SAMPLES * sizeof *delay.ms);
    if (!connections || !first.ms || !delay.ms || (poller = epoll_create1(EPOLL_CLOEXEC)) < 0) die("start");
    pending_connections = count;
    make_request(key_path);
    for (int i = 0; i < count; i++) attach(&connections[i]);
    run();
    report();
    return 0;
}
