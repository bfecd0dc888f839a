/* A fake engine that costs next to nothing: one thread, epoll, answers shaped like vLLM's.
 *
 *   upstream UNIX_SOCKET [TEXT_FILE EVENTS_PER_S]
 *                             serves that socket and a TCP port of loopback; prints "ready PORT" on stdout
 *
 * POST with "stream":true is answered with "max_tokens" server-sent events, "seed" of them per second and stream
 * (0: as fast as the reader takes them), one send() for each, HTTP/1.1 chunked. Each event is EVENT_BYTES long on
 * the wire, as vLLM's are, and its delta.content is `T` and the time it was sent at (CLOCK_MONOTONIC, ns), from
 * which the load generator on the same machine reads how long the event was under way.
 * A streamed request without "max_tokens", as a chat page makes it, gets the text of the file, PIECE_BYTES an event
 * (ASCII), at the speed of the command line.
 * POST without "stream" gets one JSON answer, POST to /v1/chat/completions/render 16 token ids, GET gets {}.
 */
#define _GNU_SOURCE
#include <errno.h>
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

enum { MAX_FD = 4096, IN_BYTES = 1 << 20, EVENT_BYTES = 239, STAMP_DIGITS = 19, OUT_BYTES = 2048, BATCH = 256, PIECE_BYTES = 4 };

typedef struct {
    int fd, in_length, out_length, out_sent;
    int is_streaming, wants_usage, waits_for_room, tells_text;
    int total, left;              /* events of the running answer */
    uint64_t interval_ns, due_ns; /* between two events (0: flood), time of the next */
    char in[IN_BYTES], out[OUT_BYTES];
} Connection;

static Connection *connections[MAX_FD];
static int active[MAX_FD], active_count; /* descriptors that stream */
static int poller, listeners[2];
static char event_text[EVENT_BYTES + 1], last_text[EVENT_BYTES + 1];
static int stamp_at, last_stamp_at, text_length;
static char *text;
static long text_rate;

static const char EVENT_HEAD[] =
    "HTTP/1.1 200 OK\r\ndate: Sat, 21 Nov 2026 08:00:00 GMT\r\nserver: uvicorn\r\n"
    "content-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n";
static const char ANSWER[] =
    "{\"id\":\"chatcmpl-0123456789abcdef\",\"object\":\"chat.completion\",\"created\":1795248000,\"model\":\"m\",\"choices\":"
    "[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Hello, this is a short answer.\"},\"finish_reason\":\"stop\"}],"
    "\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":8,\"total_tokens\":18}}";

/* What vllm-router asks before it chooses an engine by its cache: the tokens of the prompt. */
static const char RENDER[] = "POST /v1/chat/completions/render ";
static const char RENDERED[] = "{\"request_id\":\"r\",\"token_ids\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16],\"sampling_params\":{}}";

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

/* Fills one event with its chunk framing, padded through the id to EVENT_BYTES; returns where the stamp goes. */
static int make_event(char *text, const char *finish) {
    char body[EVENT_BYTES + 64], frame[EVENT_BYTES + 64];
    for (int pad = 1; pad < 64; pad++) {
        int n = snprintf(body, sizeof body,
                         "data: {\"id\":\"chatcmpl-%.*s\",\"object\":\"chat.completion.chunk\",\"created\":1795248000,"
                         "\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"T%0*d\"},\"logprobs\":null,"
                         "\"finish_reason\":%s}]}\n\n",
                         pad, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", STAMP_DIGITS, 0, finish);
        if (snprintf(frame, sizeof frame, "%x\r\n%s\r\n", n, body) != EVENT_BYTES) continue;
        memcpy(text, frame, EVENT_BYTES);
        return (int)(strstr(frame, ":\"T") - frame) + 3;
    }
    fprintf(stderr, "no padding gives %d bytes\n", EVENT_BYTES);
    exit(1);
}

static void write_stamp(char *at) {
    uint64_t value = now_ns();
    for (int i = STAMP_DIGITS - 1; i >= 0; i--, value /= 10) at[i] = (char)('0' + value % 10);
}

static void watch(Connection *c, int for_room) {
    struct epoll_event e = {.events = EPOLLIN | (for_room ? EPOLLOUT : 0u), .data.fd = c->fd};
    if (for_room != c->waits_for_room) epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &e);
    c->waits_for_room = for_room;
}

static void end_stream(Connection *c) {
    c->is_streaming = 0;
    for (int i = 0; i < active_count; i++)
        if (active[i] == c->fd) {
            active[i] = active[--active_count];
            return;
        }
}

static void drop(Connection *c) {
    if (c->is_streaming) end_stream(c);
    connections[c->fd] = NULL;
    close(c->fd);
    free(c);
}

/* Sends what waits; 1 when all went, 0 when the socket is full, -1 when the connection is gone (and freed). */
static int flush(Connection *c) {
    while (c->out_sent < c->out_length) {
        ssize_t n = send(c->fd, c->out + c->out_sent, (size_t)(c->out_length - c->out_sent), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return watch(c, 1), 0;
        if (n < 0) return drop(c), -1;
        c->out_sent += (int)n;
    }
    c->out_length = c->out_sent = 0;
    watch(c, 0);
    return 1;
}

static void add_chunk(Connection *c, const char *data) {
    c->out_length += snprintf(c->out + c->out_length, (size_t)(OUT_BYTES - c->out_length), "%zx\r\n%s\r\n", strlen(data), data);
}

static void add_end(Connection *c) {
    char usage[256];
    snprintf(usage, sizeof usage,
             "data: {\"id\":\"chatcmpl-0\",\"object\":\"chat.completion.chunk\",\"created\":1795248000,\"model\":\"m\",\"choices\":[],"
             "\"usage\":{\"prompt_tokens\":10,\"total_tokens\":%d,\"completion_tokens\":%d}}\n\n", 10 + c->total, c->total);
    if (c->wants_usage) add_chunk(c, usage);
    add_chunk(c, "data: [DONE]\n\n");
    c->out_length += snprintf(c->out + c->out_length, (size_t)(OUT_BYTES - c->out_length), "0\r\n\r\n");
}

/* A piece of the text as JSON has it. */
static void escape(char *to, const char *from, int length) {
    for (int i = 0; i < length; i++) {
        if (from[i] == '"' || from[i] == '\\' || from[i] == '\n') *to++ = '\\';
        *to++ = from[i] == '\n' ? 'n' : from[i];
    }
    *to = 0;
}

static void add_piece(Connection *c, int is_last) {
    char piece[2 * PIECE_BYTES + 1], event[OUT_BYTES / 2];
    int at = (c->total - c->left - 1) * PIECE_BYTES, length = text_length - at;
    escape(piece, text + at, length < PIECE_BYTES ? length : PIECE_BYTES);
    snprintf(event, sizeof event,
             "data: {\"id\":\"chatcmpl-0123456789abcdef0123456789abcdef\",\"object\":\"chat.completion.chunk\",\"created\":1795248000,"
             "\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%s\"},\"logprobs\":null,\"finish_reason\":%s}]}\n\n",
             piece, is_last ? "\"stop\"" : "null");
    add_chunk(c, event);
}

static void add_stamp(Connection *c, int is_last) {
    memcpy(c->out, is_last ? last_text : event_text, EVENT_BYTES);
    write_stamp(c->out + (is_last ? last_stamp_at : stamp_at));
    c->out_length = EVENT_BYTES;
}

/* Sends the next event; after the last one also the end of the answer. */
static int send_event(Connection *c) {
    int is_last = --c->left == 0;
    (c->tells_text ? add_piece : add_stamp)(c, is_last);
    c->due_ns += c->interval_ns;
    int state = flush(c);
    if (state < 0 || !is_last) return state;
    end_stream(c);
    add_end(c); /* behind the last event when that is still waiting */
    return flush(c);
}

static long number_in(const char *body, const char *name) {
    const char *at = strstr(body, name);
    return at ? strtol(at + strlen(name), NULL, 10) : 0; /* strtol passes over spaces */
}

static int is_true(const char *body, const char *name) {
    const char *at = strstr(body, name);
    return at != NULL && !strncmp(at + strlen(name) + strspn(at + strlen(name), " "), "true", 4);
}

static void answer(Connection *c, const char *body) {
    int is_post = !strncmp(c->in, "POST ", 5);
    int is_render = is_post && !strncmp(c->in, RENDER, sizeof RENDER - 1);
    if (!is_post || is_render || !is_true(body, "\"stream\":")) {
        const char *text = is_render ? RENDERED : is_post ? ANSWER : "{}";
        c->out_length = snprintf(c->out, OUT_BYTES, "HTTP/1.1 200 OK\r\nserver: uvicorn\r\ncontent-type: application/json\r\n"
                                 "content-length: %zu\r\n\r\n%s", strlen(text), text);
        flush(c);
        return;
    }
    c->tells_text = text != NULL && strstr(body, "\"max_tokens\":") == NULL;
    long rate = c->tells_text ? text_rate : number_in(body, "\"seed\":");
    c->total = c->tells_text ? (text_length + PIECE_BYTES - 1) / PIECE_BYTES : (int)number_in(body, "\"max_tokens\":");
    if (c->total < 1) c->total = 1;
    c->left = c->total;
    c->wants_usage = is_true(body, "\"include_usage\":");
    c->interval_ns = rate > 0 ? 1000000000u / (uint64_t)rate : 0;
    c->due_ns = now_ns(); /* the first event at once */
    c->is_streaming = 1;
    active[active_count++] = c->fd;
    memcpy(c->out, EVENT_HEAD, sizeof EVENT_HEAD - 1);
    c->out_length = sizeof EVENT_HEAD - 1;
    flush(c);
}

static void take_request(Connection *c) {
    ssize_t n = recv(c->fd, c->in + c->in_length, (size_t)(IN_BYTES - 1 - c->in_length), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (n <= 0) {
        drop(c);
        return;
    }
    c->in_length += (int)n;
    c->in[c->in_length] = 0;
    char *end = strstr(c->in, "\r\n\r\n");
    if (end == NULL || c->is_streaming) return;
    const char *length = strcasestr(c->in, "\r\ncontent-length:");
    long body_bytes = length && length < end ? strtol(length + 17, NULL, 10) : 0;
    if (c->in + c->in_length < end + 4 + body_bytes) return;
    c->in_length = 0;
    answer(c, end + 4);
}

static void take_connection(int listener) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
    if (fd < 0 || fd >= MAX_FD) {
        if (fd >= 0) close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* fails on the unix socket, which has no delay */
    Connection *c = calloc(1, sizeof *c);
    if (c == NULL) die("calloc");
    c->fd = fd;
    connections[fd] = c;
    struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e);
}

/* Sends all that is due; returns the time of the next event, 0 for "at once", UINT64_MAX for none. */
static uint64_t send_due(void) {
    uint64_t now = now_ns(), next = UINT64_MAX;
    for (int i = active_count - 1; i >= 0; i--) { /* backwards: an ended stream is replaced by the last one */
        Connection *c = connections[active[i]];
        if (c->waits_for_room) continue;
        if (c->due_ns <= now && (send_event(c) < 0 || i >= active_count || connections[active[i]] != c)) continue;
        if (!c->waits_for_room && c->due_ns < next) next = c->due_ns;
    }
    return next <= now ? 0 : next;
}

static void open_listeners(const char *path) {
    struct sockaddr_un u = {.sun_family = AF_UNIX};
    struct sockaddr_in t = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof t;
    snprintf(u.sun_path, sizeof u.sun_path, "%s", path);
    listeners[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    listeners[1] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (bind(listeners[0], (struct sockaddr *)&u, sizeof u) || bind(listeners[1], (struct sockaddr *)&t, sizeof t)) die("bind");
    for (int i = 0; i < 2; i++) {
        struct epoll_event e = {.events = EPOLLIN, .data.fd = listeners[i]};
        if (listen(listeners[i], 1024) || epoll_ctl(poller, EPOLL_CTL_ADD, listeners[i], &e)) die("listen");
    }
    getsockname(listeners[1], (struct sockaddr *)&t, &size);
    printf("ready %d\n", ntohs(t.sin_port));
    fflush(stdout);
}

static void read_text(const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END)) die(path);
    text_length = (int)ftell(file);
    rewind(file);
    if ((text = malloc((size_t)text_length + 1)) == NULL || fread(text, 1, (size_t)text_length, file) != (size_t)text_length) die(path);
    fclose(file);
}

int main(int argc, char **argv) {
    struct epoll_event events[BATCH];
    if (argc != 2 && argc != 4) return fprintf(stderr, "usage: upstream UNIX_SOCKET [TEXT_FILE EVENTS_PER_S]\n"), 2;
    if (argc == 4) read_text(argv[2]);
    if (argc == 4) text_rate = strtol(argv[3], NULL, 10);
    stamp_at = make_event(event_text, "null");
    last_stamp_at = make_event(last_text, "\"length\"");
    if ((poller = epoll_create1(EPOLL_CLOEXEC)) < 0) die("epoll");
    open_listeners(argv[1]);
    for (;;) {
        uint64_t next = send_due(), now = now_ns(), wait = next > now ? next - now : 0;
        struct timespec t = {.tv_sec = (time_t)(wait / 1000000000u), .tv_nsec = (long)(wait % 1000000000u)};
        int n = epoll_pwait2(poller, events, BATCH, next == UINT64_MAX ? NULL : &t, NULL);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == listeners[0] || fd == listeners[1]) {
                take_connection(fd);
                continue;
            }
            if (connections[fd] && (events[i].events & EPOLLOUT)) flush(connections[fd]);
            if (connections[fd] && (events[i].events & ~(uint32_t)EPOLLOUT)) take_request(connections[fd]);
        }
    }
}
