//! Options of sockets for datagrams: what is set is what the system has, and what it does.

use crate::kit::{LOOPBACK, has_ipv6, on_both, plain_runtime};
use socket2::SockRef;
use std::net::Ipv4Addr;
use zokio::net::UdpSocket;

#[test]
fn options_are_those_of_the_system() {
    on_both(|| async {
        let socket = UdpSocket::bind(LOOPBACK).await.unwrap();
        let system = SockRef::from(&socket);
        for ttl in [1, 77] {
            socket.set_ttl(ttl).unwrap();
            assert_eq!(
                (socket.ttl().unwrap(), system.ttl_v4().unwrap()),
                (ttl, ttl)
            );
            socket.set_multicast_ttl_v4(ttl + 1).unwrap();
            assert_eq!(socket.multicast_ttl_v4().unwrap(), ttl + 1);
            assert_eq!(system.multicast_ttl_v4().unwrap(), ttl + 1);
        }
        for on in [true, false] {
            socket.set_broadcast(on).unwrap();
            assert_eq!(
                (socket.broadcast().unwrap(), system.broadcast().unwrap()),
                (on, on)
            );
            socket.set_multicast_loop_v4(on).unwrap();
            assert_eq!(socket.multicast_loop_v4().unwrap(), on);
            assert_eq!(system.multicast_loop_v4().unwrap(), on);
        }
    });
}

#[test]
fn options_of_ipv6_are_those_of_the_system() {
    if !has_ipv6() {
        return;
    }
    plain_runtime().block_on(async {
        let socket = UdpSocket::bind("[::1]:0").await.unwrap();
        for on in [false, true] {
            socket.set_multicast_loop_v6(on).unwrap();
            assert_eq!(socket.multicast_loop_v6().unwrap(), on);
            let system = SockRef::from(&socket);
            assert_eq!(system.multicast_loop_v6().unwrap(), on);
        }
    });
}

#[test]
fn only_groups_can_be_joined_and_only_joined_ones_left() {
    plain_runtime().block_on(async {
        let socket = UdpSocket::bind("0.0.0.0:0").await.unwrap();
        let (group, here) = (Ipv4Addr::new(224, 0, 0, 213), Ipv4Addr::LOCALHOST);
        assert!(socket.leave_multicast_v4(group, here).is_err());
        let no_group = Ipv4Addr::new(192, 0, 2, 1);
        assert!(socket.join_multicast_v4(no_group, here).is_err());
        if has_ipv6() {
            let socket = UdpSocket::bind("[::1]:0").await.unwrap();
            let group = "ff01::213".parse().unwrap();
            assert!(socket.leave_multicast_v6(&group, 1).is_err());
            assert!(
                socket
                    .join_multicast_v6(&"2001:db8::1".parse().unwrap(), 1)
                    .is_err()
            );
        }
    });
}

#[cfg(target_os = "linux")]
mod linux {
    use super::*;
    use std::io::ErrorKind;
    use std::net::SocketAddr;

    async fn receives(socket: &UdpSocket) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(16);
        socket.recv_buf(&mut bytes).await.unwrap();
        bytes
    }

    #[test]
    fn who_has_joined_a_group_gets_what_is_sent_to_it() {
        on_both(|| async {
            let (group, here) = (Ipv4Addr::new(224, 0, 0, 213), Ipv4Addr::LOCALHOST);
            let member = UdpSocket::bind("0.0.0.0:0").await.unwrap();
            let port = member.local_addr().unwrap().port();
            let sender = UdpSocket::bind("0.0.0.0:0").await.unwrap();
            SockRef::from(&sender).set_multicast_if_v4(&here).unwrap();
            let (to_group, to_it) = ((group, port), (here, port));
            sender.send_to(b"too early", to_group).await.unwrap();
            member.join_multicast_v4(group, here).unwrap();
            let again = member.join_multicast_v4(group, here).unwrap_err();
            assert_eq!(again.kind(), ErrorKind::AddrInUse);
            sender.send_to(b"to members", to_group).await.unwrap();
            assert_eq!(receives(&member).await, b"to members");
            member.leave_multicast_v4(group, here).unwrap();
            sender.send_to(b"too late", to_group).await.unwrap();
            sender.send_to(b"to it", to_it).await.unwrap();
            assert_eq!(receives(&member).await, b"to it");
        });
    }

    #[test]
    fn a_group_of_ipv6_is_joined_once_and_left_once() {
        if !has_ipv6() {
            return;
        }
        // Nothing can be sent to a group on this interface: it has no route for one.
        let index = std::fs::read_to_string("/sys/class/net/lo/ifindex").unwrap();
        let interface: u32 = index.trim().parse().unwrap();
        plain_runtime().block_on(async {
            let member = UdpSocket::bind("[::]:0").await.unwrap();
            let group = "ff01::214".parse().unwrap();
            for _ in 0..2 {
                member.join_multicast_v6(&group, interface).unwrap();
                let again = member.join_multicast_v6(&group, interface).unwrap_err();
                assert_eq!(again.kind(), ErrorKind::AddrInUse);
                member.leave_multicast_v6(&group, interface).unwrap();
                let again = member.leave_multicast_v6(&group, interface).unwrap_err();
                assert_eq!(again.kind(), ErrorKind::AddrNotAvailable);
            }
        });
    }

    #[test]
    fn broadcasts_are_sent_by_those_who_said_they_would() {
        on_both(|| async {
            let everybody: Ipv4Addr = "127.255.255.255".parse().unwrap();
            let listener = UdpSocket::bind("0.0.0.0:0").await.unwrap();
            let target = SocketAddr::from((everybody, listener.local_addr().unwrap().port()));
            let sender = UdpSocket::bind(LOOPBACK).await.unwrap();
            assert!(!sender.broadcast().unwrap());
            let refused = sender.send_to(b"all", target).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
            let refused = sender.connect(target).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
            sender.set_broadcast(true).unwrap();
            sender.send_to(b"all", target).await.unwrap();
            assert_eq!(receives(&listener).await, b"all");
        });
    }

    #[test]
    #[allow(deprecated)] // The old names do the same.
    fn the_class_of_packets_is_that_of_the_system() {
        plain_runtime().block_on(async {
            let socket = UdpSocket::bind(LOOPBACK).await.unwrap();
            socket.set_tos_v4(0x10).unwrap();
            assert_eq!(
                (socket.tos_v4().unwrap(), socket.tos().unwrap()),
                (0x10, 0x10)
            );
            socket.set_tos(0x08).unwrap();
            assert_eq!(SockRef::from(&socket).tos_v4().unwrap(), 0x08);
            if has_ipv6() {
                let socket = UdpSocket::bind("[::1]:0").await.unwrap();
                socket.set_tclass_v6(0x20).unwrap();
                assert_eq!(socket.tclass_v6().unwrap(), 0x20);
                assert_eq!(SockRef::from(&socket).tclass_v6().unwrap(), 0x20);
            }
        });
    }

    #[test]
    fn a_socket_can_be_bound_to_an_interface() {
        plain_runtime().block_on(async {
            let socket = UdpSocket::bind("0.0.0.0:0").await.unwrap();
            assert_eq!(socket.device().unwrap(), None);
            assert!(socket.bind_device(Some(b"no-such-device")).is_err());
            assert_eq!(socket.device().unwrap(), None);
            socket.bind_device(Some(b"lo")).unwrap();
            assert_eq!(socket.device().unwrap().as_deref(), Some(&b"lo"[..]));
            match socket.bind_device(None) {
                Ok(()) => assert_eq!(socket.device().unwrap(), None),
                // Not everybody may.
                Err(error) => assert_eq!(error.kind(), ErrorKind::PermissionDenied),
            }
        });
    }
}
