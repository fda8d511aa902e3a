//! [`UCred`]: who is at the other end.

use super::{UnixStream, gid_t, pid_t, uid_t};
use std::io;
use std::os::fd::AsFd;

/// The process that had the other end of a stream when it was connected, and its owner.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct UCred {
    pid: Option<pid_t>,
    uid: uid_t,
    gid: gid_t,
}

impl UCred {
    /// The user.
    pub fn uid(&self) -> uid_t {
        self.uid
    }

    /// The group.
    pub fn gid(&self) -> gid_t {
        self.gid
    }

    /// The process, where the system tells: on Linux, Android, Apple's systems, illumos and Solaris.
    pub fn pid(&self) -> Option<pid_t> {
        self.pid
    }
}

pub(super) fn of(stream: &UnixStream) -> io::Result<UCred> {
    let peer = zokio_driver::peer::of(stream.as_fd())?;
    Ok(UCred {
        pid: peer.pid,
        uid: peer.uid,
        gid: peer.gid,
    })
}
