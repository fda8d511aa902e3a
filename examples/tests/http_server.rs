//! Runs the `http_server` example as a process of its own and talks to it over plain sockets: each
//! route, ways out of the directory, large bodies, Ctrl-C, and the ways not to start.
//!
//! Everything runs on the ring and without it. Where the kernel refuses the ring, the half that asks
//! for it says so and passes.
#![cfg(unix)]
// Clients are ordinary blocking programs: they use the standard library's threads and clock.
#![allow(clippy::disallowed_methods)]

mod client;

use client::{Client, Server, TempDir, ring_is_there};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Runs `check` on a server for each back end.
fn on_each_backend(root: &TempDir, check: impl Fn(Server)) {
    for io in ["epoll", "uring"] {
        if io == "uring" && !ring_is_there() {
            eprintln!("the kernel refuses the ring: only epoll was tested");
            continue;
        }
        check(Server::start(root, io));
    }
}

/// Bytes that differ from place to place.
fn pattern(length: usize, seed: usize) -> Vec<u8> {
    let mut state = seed as u64 | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

#[test]
fn every_route_answers() {
    let root = TempDir::new("routes");
    root.write("a file.txt", b"text");
    on_each_backend(&root, |server| {
        let mut client = server.connect();
        let hello = client.get("/");
        assert_eq!(
            (hello.status, &hello.body[..]),
            (200, &b"Hello from Zokio\n"[..])
        );
        assert!(
            hello
                .header("content-type")
                .unwrap()
                .starts_with("text/plain")
        );

        let echo = client.post("/echo", b"back please");
        assert_eq!((echo.status, &echo.body[..]), (200, &b"back please"[..]));
        assert_eq!(client.post("/echo", b"").body, b"");

        let file = client.get("/files/a%20file.txt");
        assert_eq!((file.status, &file.body[..]), (200, &b"text"[..]));
        assert_eq!(file.header("content-length"), Some("4"));
        let head = client.request("HEAD", "/files/a%20file.txt", &[]);
        assert_eq!(
            (head.status, head.header("content-length")),
            (200, Some("4"))
        );
        assert!(head.body.is_empty());

        let metrics = client.get("/metrics");
        let text = String::from_utf8(metrics.body).unwrap();
        for line in [
            "http_requests_total 6",
            "http_requests_in_flight 1",
            "http_responses_total{status=\"2xx\"} 5",
            "http_connections_open 1",
            "zokio_workers 2",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} in {text}");
        }

        assert_eq!(client.get("/nope").status, 404);
        let wrong = client.request("DELETE", "/files/a", &[]);
        assert_eq!(
            (wrong.status, wrong.header("allow")),
            (405, Some("GET, HEAD"))
        );
        assert_eq!(client.get("/echo").status, 405);
        assert_eq!(client.post("/", b"").status, 405);
        server.interrupt_and_expect(0);
    });
}

#[test]
fn nothing_outside_of_the_root_is_served() {
    let outside = TempDir::new("outside");
    outside.write("secret", b"secret");
    let root = TempDir::new("inside");
    root.write("sub/file", b"inside");
    root.link("sub/file", "good");
    root.link(outside.path().join("secret"), "bad");
    root.link(outside.path(), "bad-dir");
    root.link("../..", "up");
    root.link("loop", "loop");
    root.pipe("pipe");
    let absolute = outside.path().join("secret");
    let absolute = absolute.to_str().unwrap();
    let sibling = format!(
        "../{}",
        outside.path().file_name().unwrap().to_str().unwrap()
    );
    on_each_backend(&root, |server| {
        let mut client = server.connect();
        for path in [
            "good",
            "sub/file",
            "./sub/./file",
            "sub//file",
            "sub%2ffile",
        ] {
            let file = client.get(&format!("/files/{path}"));
            assert_eq!(
                (file.status, &file.body[..]),
                (200, &b"inside"[..]),
                "{path}"
            );
        }
        for path in [
            "../secret".to_string(),
            format!("{sibling}/secret"),
            format!("sub/../{sibling}/secret"),
            format!("%2e%2e/{}/secret", &sibling[3..]),
            format!("..%2f{}%2fsecret", &sibling[3..]),
            format!("%252e%252e/{}/secret", &sibling[3..]),
            absolute.to_string(),
            format!("/{absolute}"),
            format!("%2f{}", &absolute[1..]),
            "bad".into(),
            "bad-dir/secret".into(),
            "up/etc/passwd".into(),
            "sub/..".into(),
            "loop".into(),
            "pipe".into(),
            "sub".into(),
            "".into(),
            "missing".into(),
        ] {
            let answer = client.get(&format!("/files/{path}"));
            assert!(
                [403, 404].contains(&answer.status),
                "{path}: {}",
                answer.status
            );
            assert!(
                !answer.body.windows(6).any(|part| part == b"secret"),
                "{path}"
            );
        }
        for path in ["%", "%zz", "a%00b", "%ff"] {
            assert_eq!(client.get(&format!("/files/{path}")).status, 400, "{path}");
        }
        server.interrupt_and_expect(0);
    });
}

#[test]
fn two_hundred_files_arrive_as_they_are() {
    const LARGEST: f64 = 10_000_000.0;
    let root = TempDir::new("files");
    // From nothing to 10 MB, most of them small, and the borders of the chunks among them.
    let mut lengths: Vec<usize> = (0..194)
        .map(|at| (LARGEST * (at as f64 / 193.0).powi(8)) as usize)
        .collect();
    lengths.extend([1, 65_535, 65_536, 65_537, 131_072, 131_073]);
    for (at, &length) in lengths.iter().enumerate() {
        root.write(&format!("{at}"), &pattern(length, at));
    }
    on_each_backend(&root, |server| {
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut client = server.connect();
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        let Some(&length) = lengths.get(at) else {
                            break;
                        };
                        let file = client.get(&format!("/files/{at}"));
                        assert_eq!(file.status, 200);
                        assert_eq!(file.header("content-length"), Some(&*length.to_string()));
                        assert!(
                            file.body == pattern(length, at),
                            "file {at} of {length} bytes"
                        );
                    }
                });
            }
        });
        server.interrupt_and_expect(0);
    });
}

#[test]
fn a_hundred_megabytes_come_back_identical() {
    let root = TempDir::new("echo");
    let sent = pattern(100_000_000, 7);
    on_each_backend(&root, |server| {
        for is_chunked in [false, true] {
            let mut client = server.connect();
            let answer = client.exchange("/echo", &sent, is_chunked);
            assert_eq!(answer.status, 200);
            assert!(answer.body == sent, "{} bytes came back", answer.body.len());
        }
        server.interrupt_and_expect(0);
    });
}

#[test]
fn ctrl_c_under_load_loses_no_response_that_had_begun() {
    let root = TempDir::new("load");
    let large = pattern(3_000_000, 3);
    root.write("large", &large);
    on_each_backend(&root, |server| {
        let finished = AtomicUsize::new(0);
        let is_interrupted = AtomicBool::new(false);
        thread::scope(|scope| {
            for number in 0..16 {
                let (large, server, finished) = (&large, &server, &finished);
                let is_interrupted = &is_interrupted;
                scope.spawn(move || {
                    let (path, expected) = match number % 2 {
                        0 => ("/files/large", &large[..]),
                        _ => ("/", &b"Hello from Zokio\n"[..]),
                    };
                    let mut client = server.connect();
                    // Ends when the server closes a connection before it has begun to answer.
                    while let Some(answer) = client.try_get(path) {
                        let answer = answer.expect("a response that had begun was cut off");
                        assert_eq!(answer.status, 200);
                        assert!(answer.body == expected);
                        finished.fetch_add(1, Ordering::Relaxed);
                    }
                    assert!(
                        is_interrupted.load(Ordering::SeqCst),
                        "closed without Ctrl-C"
                    );
                });
            }
            thread::sleep(Duration::from_millis(500));
            is_interrupted.store(true, Ordering::SeqCst);
            server.interrupt();
        });
        assert!(finished.load(Ordering::Relaxed) > 32);
        server.expect_exit(0);
    });
}

#[test]
fn what_is_in_flight_finishes_and_what_is_idle_ends() {
    let root = TempDir::new("flight");
    on_each_backend(&root, |server| {
        let mut idle = server.connect();
        assert_eq!(idle.get("/").status, 200);
        let mut slow = TcpStream::connect(server.address()).unwrap();
        slow.write_all(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nhalf")
            .unwrap();
        // The answer has begun.
        let mut answer = vec![0; 1_024];
        let count = slow.read(&mut answer).unwrap();
        answer.truncate(count);
        server.interrupt();
        // New connections are refused, or closed without an answer, soon.
        let begin = Instant::now();
        while TcpStream::connect(server.address()).is_ok() {
            assert!(begin.elapsed() < Duration::from_secs(5), "still listening");
            thread::sleep(Duration::from_millis(10));
        }
        assert!(idle.try_get("/").is_none());
        slow.write_all(b"done").unwrap();
        slow.read_to_end(&mut answer).unwrap();
        assert!(answer.ends_with(b"halfdone"));
        server.expect_exit(0);
    });
}

#[test]
fn a_second_ctrl_c_cuts_off() {
    let root = TempDir::new("twice");
    let server = Server::start(&root, "auto");
    let mut stuck = TcpStream::connect(server.address()).unwrap();
    stuck
        .write_all(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nhalf")
        .unwrap();
    stuck.read_exact(&mut [0; 12]).unwrap();
    server.interrupt();
    thread::sleep(Duration::from_millis(300));
    server.interrupt();
    let output = server.expect_exit(1);
    assert_eq!(output.lines().count(), 1, "{output}");
    assert!(output.contains("1 connections cut off"), "{output}");
}

#[test]
fn a_client_that_leaves_does_no_harm() {
    let root = TempDir::new("leave");
    root.write("large", &pattern(5_000_000, 1));
    on_each_backend(&root, |server| {
        for _ in 0..20 {
            let mut stream = TcpStream::connect(server.address()).unwrap();
            stream
                .write_all(b"GET /files/large HTTP/1.1\r\nHost: x\r\n\r\n")
                .unwrap();
            stream.read_exact(&mut [0; 100]).unwrap();
            drop(stream);
            let stream = TcpStream::connect(server.address()).unwrap();
            stream.shutdown(Shutdown::Both).unwrap();
        }
        assert_eq!(server.connect().get("/").status, 200);
        server.interrupt_and_expect(0);
    });
}

#[test]
fn what_cannot_start_says_why_in_one_line() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    let cases: [(&[&str], &str); 6] = [
        (&["--addr", &taken], "cannot listen on"),
        (
            &["--root", "/does/not/exist"],
            "cannot serve /does/not/exist",
        ),
        (&["--root", "/dev/null"], "cannot serve /dev/null"),
        (&["--workers", "0"], "--workers"),
        (&["--io", "carrier-pigeon"], "carrier-pigeon"),
        (&["--bogus"], "--bogus"),
    ];
    for (options, reason) in cases {
        let (code, out, err) = Server::run_to_end(options);
        assert_eq!(code, Some(2), "{options:?}: {err}");
        assert_eq!(err.lines().count(), 1, "{options:?}: {err}");
        assert!(err.contains(reason), "{options:?}: {err}");
        assert!(out.is_empty(), "{options:?}: {out}");
    }
    drop(listener);
    let (code, out, _) = Server::run_to_end(&["--help"]);
    assert_eq!(code, Some(0));
    assert!(out.contains("--root"));
}

#[test]
fn requests_may_follow_without_waiting() {
    let root = TempDir::new("pipeline");
    on_each_backend(&root, |server| {
        let mut client: Client = server.connect();
        for _ in 0..3 {
            client.send("GET", "/", &[]);
        }
        for _ in 0..3 {
            assert_eq!(client.receive(true).unwrap().body, b"Hello from Zokio\n");
        }
        server.interrupt_and_expect(0);
    });
}
