//! Sockets of each kind in ordinary use, and at the edges of a runtime's life.

use crate::kit::{connected, now, on_both};
use socket2::SockRef;
use std::future::poll_fn;
use std::io::ErrorKind;
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::time::Duration;
use zokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use zokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket, lookup_host};
use zokio::runtime::Builder;

#[test]
fn tcp_echo_from_many_tasks() {
    on_both(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        zokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                zokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    zokio::io::copy(&mut read, &mut write).await.unwrap();
                });
            }
        });
        let clients: Vec<_> = (0..40_u32)
            .map(|number| {
                zokio::spawn(async move {
                    let mut stream = TcpStream::connect(address).await.unwrap();
                    for round in 0..20 {
                        let sent = vec![(number + round) as u8; 3_000 + round as usize];
                        stream.write_all(&sent).await.unwrap();
                        let mut answer = vec![0; sent.len()];
                        stream.read_exact(&mut answer).await.unwrap();
                        assert_eq!(sent, answer);
                    }
                    stream.shutdown().await.unwrap();
                    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
                })
            })
            .collect();
        for client in clients {
            client.await.unwrap();
        }
    });
}

#[test]
fn more_than_the_buffers_hold_goes_through() {
    on_both(|| async {
        let (near, far) = connected().await;
        let (mut read, mut write) = far.into_split();
        let (mut back, mut forth) = near.into_split();
        let sent: Vec<u8> = (0..8_000_000_u32).map(|byte| (byte % 251) as u8).collect();
        let expected = sent.clone();
        let writer = zokio::spawn(async move {
            forth.write_all(&sent).await.unwrap();
        });
        let echo = zokio::spawn(async move {
            zokio::io::copy(&mut read, &mut write).await.unwrap();
        });
        let mut received = Vec::new();
        back.read_to_end(&mut received).await.unwrap();
        assert!(received == expected);
        writer.await.unwrap();
        echo.await.unwrap();
    });
}

#[test]
fn readiness_and_attempts() {
    on_both(|| async {
        let (near, far) = connected().await;
        let mut buf = [0; 16];
        let refused = far.try_read(&mut buf).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::WouldBlock);
        near.writable().await.unwrap();
        assert_eq!(near.try_write(b"hello").unwrap(), 5);
        let ready = far.ready(Interest::READABLE | Interest::WRITABLE).await;
        assert!(!ready.unwrap().is_empty());
        far.readable().await.unwrap();
        assert_eq!(far.peek(&mut buf).await.unwrap(), 5);
        assert_eq!(far.peek(&mut buf[..2]).await.unwrap(), 2);
        assert_eq!(far.try_read(&mut buf).unwrap(), 5);
        assert_eq!(&buf[..5], b"hello");
        let mut vec = Vec::with_capacity(8);
        assert!(far.try_read_buf(&mut vec).is_err());
        drop(near);
        far.readable().await.unwrap();
        assert_eq!(far.try_read_buf(&mut vec).unwrap(), 0);
    });
}

#[test]
fn what_users_try_themselves_is_told_of_what_comes_later() {
    on_both(|| async {
        let (near, mut far) = connected().await;
        let receive = || {
            let mut byte = [MaybeUninit::uninit()];
            SockRef::from(&near).recv(&mut byte)
        };
        let pause = || zokio::time::sleep(Duration::from_millis(5));
        for _ in 0..3 {
            let received = near.async_io(Interest::READABLE, receive);
            let (received, ()) = zokio::join!(received, async {
                pause().await;
                far.write_all(b"x").await.unwrap();
            });
            assert_eq!(received.unwrap(), 1);
            let error = near.try_io(Interest::READABLE, receive).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            let (readable, ()) = zokio::join!(near.readable(), async {
                pause().await;
                far.write_all(b"y").await.unwrap();
            });
            readable.unwrap();
            assert_eq!(near.try_io(Interest::READABLE, receive).unwrap(), 1);
        }
    });
}

#[test]
fn an_accepted_stream_counts_as_ready_until_it_blocks() {
    on_both(|| async {
        let (near, far) = connected().await;
        assert!(now(far.readable()).is_some());
        let blocked = far.try_read(&mut [0; 4]).unwrap_err();
        assert_eq!(blocked.kind(), ErrorKind::WouldBlock);
        if cfg!(unix) {
            // Elsewhere the event of its being writable may come in between, and keep the assumption.
            assert!(now(far.readable()).is_none());
        }
        assert_eq!(far.try_write(b"x").unwrap(), 1);
        // Of the other side nothing is assumed but that it has room.
        assert!(now(near.writable()).is_some());
        assert_eq!(near.try_write(b"there").unwrap(), 5);
        far.readable().await.unwrap();
        assert_eq!(far.try_read(&mut [0; 8]).unwrap(), 5);
    });
}

#[test]
fn every_task_that_waits_in_one_method_is_woken() {
    const TASKS: u32 = 20;
    on_both(|| async {
        let listener = Arc::new(TcpListener::bind("127.0.0.1:0").await.unwrap());
        let address = listener.local_addr().unwrap();
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                let listener = listener.clone();
                zokio::spawn(async move { listener.accept().await.unwrap().1 })
            })
            .collect();
        zokio::time::sleep(Duration::from_millis(5)).await;
        let mut streams = Vec::new();
        for _ in 0..TASKS {
            streams.push(TcpStream::connect(address).await.unwrap());
        }
        for task in tasks {
            task.await.unwrap();
        }
    });
}

#[test]
fn a_datagram_costs_one_unit_of_the_budget_and_looking_none() {
    on_both(|| async {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(socket.local_addr().unwrap()).await.unwrap();
        let mut polls = 0;
        let mut exchange = std::pin::pin!(async {
            for _ in 0..128 {
                socket.writable().await.unwrap();
                socket.send(b"x").await.unwrap();
                socket.recv(&mut [0; 4]).await.unwrap();
            }
        });
        poll_fn(|cx| {
            polls += 1;
            exchange.as_mut().poll(cx)
        })
        .await;
        // The first poll has less than a whole budget: binding and connecting took of it. The first
        // wait for each direction waits for the driver to see the socket.
        assert!((2..=5).contains(&polls), "{polls} polls");
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_waiting_receiver_hears_that_the_peer_is_not_there() {
    on_both(|| async {
        let gone = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let nobody = gone.local_addr().unwrap();
        drop(gone);
        let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        socket.connect(nobody).await.unwrap();
        let receiver = {
            let socket = socket.clone();
            zokio::spawn(async move { socket.recv(&mut [0; 4]).await })
        };
        zokio::time::sleep(Duration::from_millis(5)).await;
        socket.send(b"anybody?").await.unwrap();
        let refused = receiver.await.unwrap().unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn a_dropped_read_loses_no_byte() {
    on_both(|| async {
        let (mut near, mut far) = connected().await;
        let mut buf = [0; 8];
        for round in 0..200_u8 {
            zokio::select! {
                biased;
                _ = far.read(&mut buf) => panic!("nothing was written"),
                () = async {} => {}
            }
            near.write_all(&[round]).await.unwrap();
            assert_eq!(far.read(&mut buf).await.unwrap(), 1);
            assert_eq!(buf[0], round);
        }
    });
}

#[test]
fn refused_connections_are_errors() {
    on_both(|| async {
        let address = {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            listener.local_addr().unwrap()
        };
        let error = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let none: &[std::net::SocketAddr] = &[];
        let error = TcpStream::connect(none).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn halves_find_each_other_again() {
    on_both(|| async {
        let (near, far) = connected().await;
        let (read, write) = near.into_split();
        let (other_read, other_write) = far.into_split();
        let error = read.reunite(other_write).unwrap_err();
        let near = error.0.reunite(write).unwrap();
        let far = other_read.reunite(error.1).unwrap();
        let std = near.into_std().unwrap();
        let mut near = TcpStream::from_std(std).unwrap();
        near.write_all(b"x").await.unwrap();
        let (mut read, write) = far.into_split();
        drop(write);
        assert_eq!(near.read(&mut [0; 4]).await.unwrap(), 0);
        assert_eq!(read.read(&mut [0; 4]).await.unwrap(), 1);
    });
}

#[test]
fn sockets_take_options_first() {
    on_both(|| async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        assert!(socket.reuseaddr().unwrap());
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(16).unwrap();
        let address = listener.local_addr().unwrap();
        let client = TcpSocket::new_v4().unwrap().connect(address).await.unwrap();
        client.set_nodelay(true).unwrap();
        assert!(client.nodelay().unwrap());
        assert_eq!(
            listener.accept().await.unwrap().1,
            client.local_addr().unwrap()
        );
    });
}

#[test]
fn udp_there_and_back() {
    on_both(|| async {
        let near = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let far = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let far_address = far.local_addr().unwrap();
        let mut buf = [0; 32];
        for round in 0..300_u32 {
            near.send_to(&round.to_le_bytes(), far_address)
                .await
                .unwrap();
            assert_eq!(far.peek_sender().await.unwrap(), near.local_addr().unwrap());
            let (len, from) = far.recv_from(&mut buf).await.unwrap();
            assert_eq!(
                (&buf[..len], from),
                (&round.to_le_bytes()[..], near.local_addr().unwrap())
            );
        }
        near.connect(far_address).await.unwrap();
        near.send(b"connected").await.unwrap();
        let mut vec = Vec::with_capacity(32);
        assert_eq!(far.recv_buf_from(&mut vec).await.unwrap().0, 9);
        assert_eq!(vec, b"connected");
        assert_eq!(
            far.try_recv(&mut buf).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
    });
}

#[test]
fn names_are_looked_up() {
    on_both(|| async {
        let found: Vec<_> = lookup_host("localhost:80").await.unwrap().collect();
        assert!(
            found
                .iter()
                .all(|address| address.ip().is_loopback() && address.port() == 80)
        );
        assert!(!found.is_empty());
        assert_eq!(lookup_host(("127.0.0.1", 9)).await.unwrap().count(), 1);
        assert!(lookup_host("no port").await.is_err());
    });
}

#[test]
fn waiters_are_told_when_the_runtime_goes() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    drop(runtime);
    let other = Builder::new_current_thread().build().unwrap();
    let error = other.block_on(listener.accept()).unwrap_err();
    assert!(error.to_string().contains("being shutdown"));
}

#[test]
fn outside_of_a_runtime_there_is_no_reactor() {
    let std = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    std.set_nonblocking(true).unwrap();
    let panic = std::panic::catch_unwind(|| TcpListener::from_std(std)).unwrap_err();
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap();
    assert!(text.contains("there is no reactor running"), "{text}");
    let runtime = Builder::new_current_thread().build().unwrap();
    let bound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        runtime.block_on(TcpListener::bind("127.0.0.1:0"))
    }));
    let panic = bound.unwrap_err();
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap();
    assert!(text.contains("IO is disabled"), "{text}");
}

#[cfg(unix)]
mod unix {
    use crate::kit::on_both;
    use zokio::io::{AsyncReadExt, AsyncWriteExt};
    use zokio::net::{UnixDatagram, UnixListener, UnixSocket, UnixStream};

    #[test]
    fn streams_through_a_path() {
        on_both(|| async {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("socket");
            let listener = UnixListener::bind(&path).unwrap();
            assert_eq!(listener.local_addr().unwrap().as_pathname(), Some(&*path));
            let server = zokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut text = String::new();
                stream.read_to_string(&mut text).await.unwrap();
                stream
                    .write_all(text.to_uppercase().as_bytes())
                    .await
                    .unwrap();
            });
            let mut stream = UnixStream::connect(&path).await.unwrap();
            assert_eq!(
                stream.peer_cred().unwrap().pid(),
                Some(std::process::id() as i32).filter(|_| cfg!(target_os = "linux"))
            );
            stream.write_all(b"quiet").await.unwrap();
            stream.shutdown().await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert_eq!(answer, "QUIET");
            server.await.unwrap();
        });
    }

    #[test]
    fn datagrams_and_plain_sockets() {
        on_both(|| async {
            let (near, far) = UnixDatagram::pair().unwrap();
            near.send(b"one").await.unwrap();
            let mut buf = [0; 8];
            assert_eq!(far.recv(&mut buf).await.unwrap(), 3);
            near.send(b"two").await.unwrap();
            let mut vec = Vec::with_capacity(8);
            let (len, from) = far.recv_buf_from(&mut vec).await.unwrap();
            assert_eq!(len, 3);
            assert!(from.is_unnamed());
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("socket");
            let socket = UnixSocket::new_stream().unwrap();
            socket.bind(&path).unwrap();
            let listener = socket.listen(8).unwrap();
            let client = UnixSocket::new_stream()
                .unwrap()
                .connect(&path)
                .await
                .unwrap();
            let (_stream, peer) = listener.accept().await.unwrap();
            assert!(peer.is_unnamed());
            drop(client);
            assert!(UnixSocket::new_datagram().unwrap().listen(1).is_err());
        });
    }
}

#[test]
fn sockets_cross_threads_and_panics() {
    fn check<T: Send + Sync + Unpin + std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
    check::<TcpListener>();
    check::<TcpStream>();
    check::<TcpSocket>();
    check::<UdpSocket>();
    check::<zokio::net::tcp::OwnedReadHalf>();
    check::<zokio::net::tcp::ReuniteError>();
}
