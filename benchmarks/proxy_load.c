/* Load for benchmarks/proxy.py: clients and the upstream behind the proxy, in one thread on one core.
 *
 *   proxy_load UPSTREAM_PORT                       then one run per line of standard input:
 *   PORT CONNECTIONS SECONDS REQUEST_BYTES RESPONSE_BYTES NEW_CONNECTION_EACH
 *
 * Every client sends a request, waits for the whole response and begins again at once (closed loop); with
 * NEW_CONNECTION_EACH = 1 each request has a connection of its own. The first tenth of a run is not counted. PORT is
 * the proxy's, or UPSTREAM_PORT itself for the run without a proxy. Answers one line of JSON: requests, seconds,
 * bytes, failures and the percentiles of the time from first byte sent (or connect) to last byte received, in µs.
 *

 * Written in C because a generator in Python or Go takes longer per request than the proxies under test.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LISTENER, UPSTREAM, CLIENT };
enum { BUFFER_BYTES = 1 << 18, MAX_EVENTS = 256, MAX_SAMPLES = 1 << 24 };

struct peer {
    int kind, fd;
    long to_send, to_receive;
    double started;
};

static int epoll_fd, upstream_port, proxy_port, fresh_connections;
static long request_bytes, response_bytes, requests, failures;
static double counting_from, ends;
static float *samples;
static char buffer[BUFFER_BYTES];

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static void must(int ok, const char *what) {
    if (!ok) {
        perror(what);
        exit(1);
    }
}

static void watch(struct peer *p) {
    int one = 1;
    setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = p};
    must(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, p->fd, &event) == 0, "epoll_ctl");
}

static struct sockaddr_in loopback(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static void send_more(struct peer *p) {
    while (p->to_send > 0) {
        ssize_t n = send(p->fd, buffer, p->to_send < BUFFER_BYTES ? p->to_send : BUFFER_BYTES, MSG_NOSIGNAL);
        if (n < 0) return;
        p->to_send -= n;
    }
}

static void begin_request(struct peer *p) {
    p->started = now();
    p->to_send = request_bytes;
    p->to_receive = response_bytes;
    send_more(p);
}

static void connect_client(struct peer *p) {
    struct sockaddr_in address = loopback(proxy_port);
    p->started = now();
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    must(p->fd >= 0, "socket");
    int code = connect(p->fd, (struct sockaddr *)&address, sizeof address);
    if (code != 0 && errno != EINPROGRESS) failures++;
    p->to_send = request_bytes;
    p->to_receive = response_bytes;
    watch(p);
}

static void finish_request(struct peer *p) {
    double t = now();
    if (p->started >= counting_from && t < ends && requests < MAX_SAMPLES) samples[requests++] = (t - p->started) * 1e6;
    if (!fresh_connections) {
        if (t < ends) begin_request(p);
        return;
    }
    close(p->fd);
    p->fd = -1;
    if (t < ends) connect_client(p);
}

/* Returns 0 when the connection ended. */
static int receive(struct peer *p) {
    for (;;) {
        ssize_t n = recv(p->fd, buffer, BUFFER_BYTES, 0);
        if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
        if (n == 0) return 0;
        p->to_receive -= n;
        if (p->kind == UPSTREAM) {
            while (p->to_receive <= 0) {
                p->to_receive += request_bytes;
                p->to_send += response_bytes;
            }
            send_more(p);
        } else if (p->to_receive <= 0) {
            finish_request(p);
            return 1;
        }
    }
}

static void accept_all(struct peer *listener) {
    for (;;) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK);
        if (fd < 0) return;
        struct peer *p = calloc(1, sizeof *p);
        *p = (struct peer){.kind = UPSTREAM, .fd = fd, .to_receive = request_bytes};
        watch(p);
    }
}

static void handle(struct peer *p, unsigned events) {
    if (p->fd < 0) return;
    if (p->kind == LISTENER) {
        accept_all(p);
        return;
    }
    if (events & EPOLLOUT) send_more(p);
    if (!(events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))) return;
    if (receive(p)) return;
    close(p->fd);
    p->fd = -1;
    if (p->kind == UPSTREAM) {
        free(p);
    } else {
        failures++;
        if (now() < ends) connect_client(p);
    }
}

static void turn(int timeout_ms) {
    static struct epoll_event events[MAX_EVENTS];
    int count = epoll_wait(epoll_fd, events, MAX_EVENTS, timeout_ms);
    for (int i = 0; i < count; i++) handle(events[i].data.ptr, events[i].events);
}

static int ascending(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static float percentile(double share) { return requests ? samples[(long)(share * (requests - 1))] : 0; }

static void run(int connections, double seconds) {
    struct peer *clients = calloc(connections, sizeof *clients);
    requests = failures = 0;
    double start = now();
    counting_from = start + seconds / 10;
    ends = start + seconds;
    for (int i = 0; i < connections; i++) {
        clients[i].kind = CLIENT;
        connect_client(&clients[i]);
    }
    while (now() < ends) turn(20);
    for (int i = 0; i < connections; i++)
        if (clients[i].fd >= 0) close(clients[i].fd);
    for (double until = now() + 0.3; now() < until;) turn(20);
    qsort(samples, requests, sizeof *samples, ascending);
    printf("{\"requests\": %ld, \"seconds\": %.6f, \"bytes\": %.0f, \"failures\": %ld, "
           "\"p50_us\": %.2f, \"p90_us\": %.2f, \"p99_us\": %.2f}\n",
           requests, ends - counting_from, (double)requests * (request_bytes + response_bytes), failures,
           percentile(.5), percentile(.9), percentile(.99));
    fflush(stdout);
    free(clients);
}

int main(int argc, char **argv) {
    must(argc == 2, "usage: proxy_load UPSTREAM_PORT");
    upstream_port = atoi(argv[1]);
    samples = malloc(sizeof *samples * MAX_SAMPLES);
    epoll_fd = epoll_create1(0);
    struct peer listener = {.kind = LISTENER, .fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)};
    struct sockaddr_in address = loopback(upstream_port);
    int one = 1;
    setsockopt(listener.fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    must(bind(listener.fd, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    must(listen(listener.fd, 4096) == 0, "listen");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &listener};
    must(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener.fd, &event) == 0, "epoll_ctl");
    int connections;
    double seconds;
    while (scanf("%d %d %lf %ld %ld %d", &proxy_port, &connections, &seconds, &request_bytes, &response_bytes,
                 &fresh_connections) == 6)
        run(connections, seconds);
    return 0;
}
