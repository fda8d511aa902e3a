//! The other end of the sockets: another process, plain threads.

use std::io::{ErrorKind, Read, Seek, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{
    BURST, CHUNK, CHUNKS, CONNECTS, DATAGRAM, EXCHANGES, FLIGHT, FLIGHTS, MESSAGE, MESSAGES,
    SENDERS, STREAMS,
};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The running process.
pub(crate) struct Peer(Child);

impl Peer {
    /// Starts it. It connects to `address`.
    pub(crate) fn spawn(kind: &str, address: SocketAddr) -> Self {
        let own = std::env::current_exe().expect("this program has a path");
        let child = Command::new(own)
            .args(["peer", kind, &address.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program can be run again");
        Self(child)
    }

    /// Waits for its end. Returns how many bytes it has read.
    pub(crate) fn join(self) -> u64 {
        let output = self.0.wait_with_output().expect("it ends");
        assert!(output.status.success(), "the peer failed");
        let text = String::from_utf8_lossy(&output.stdout);
        text.trim().parse().expect("the peer says a number")
    }
}

/// A file in memory of all chunks, at its start.
pub(crate) fn payload() -> std::fs::File {
    let path = std::env::temp_dir().join(format!("zokio-lanes-{}", std::process::id()));
    let options = std::fs::File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path);
    let mut file = options.expect("a file can be made");
    std::fs::remove_file(path).expect("it is there");
    let chunk = vec![7; CHUNK];
    for _ in 0..CHUNKS {
        file.write_all(&chunk).expect("there is room");
    }
    file.rewind().expect("a file has a start");
    file
}

/// The process: `peer KIND ADDRESS`.
pub(crate) fn main(words: &[&str]) -> Result<(), String> {
    let [kind, address] = words else {
        return Err("peer KIND ADDRESS".into());
    };
    let address: SocketAddr = address.parse().map_err(|_| "not an address")?;
    if !address.ip().is_loopback() {
        return Err("a peer is for this machine only".into());
    }
    let done = match *kind {
        "accept" => connect_in_bursts(address),
        "receive" => send_messages(address),
        "echo" => exchange_messages(address),
        "datagrams" => exchange_datagrams(address),
        "discard" => TcpStream::connect(address).and_then(discard),
        "through" => send_through(address),
        other => return Err(format!("no peer is called {other}")),
    };
    println!("{}", done.map_err(|e| format!("peer {kind}: {e}"))?);
    Ok(())
}

fn connect_in_bursts(address: SocketAddr) -> std::io::Result<u64> {
    let mut streams = Vec::new();
    for count in 0..CONNECTS {
        streams.push(TcpStream::connect(address)?);
        if streams.len() == BURST || count + 1 == CONNECTS {
            // All were taken and closed. Who closes first keeps the port busy for a while: not here.
            for mut stream in streams.drain(..) {
                stream.read_exact(&mut [0]).or_else(is_closed)?;
            }
        }
    }
    Ok(0)
}

fn is_closed(error: std::io::Error) -> std::io::Result<()> {
    match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset => Ok(()),
        _ => Err(error),
    }
}

fn connect_all(address: SocketAddr) -> std::io::Result<Vec<TcpStream>> {
    let connect = |_| {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(stream)
    };
    (0..STREAMS).map(connect).collect()
}

fn send_messages(address: SocketAddr) -> std::io::Result<u64> {
    let mut streams = connect_all(address)?;
    let message = [7; MESSAGE];
    for _ in 0..MESSAGES {
        for stream in &mut streams {
            stream.write_all(&message)?;
        }
    }
    Ok(0)
}

fn exchange_messages(address: SocketAddr) -> std::io::Result<u64> {
    let mut streams = connect_all(address)?;
    let mut message = [7; MESSAGE];
    for _ in 0..EXCHANGES {
        for stream in &mut streams {
            stream.write_all(&message)?;
        }
        for stream in &mut streams {
            stream.read_exact(&mut message)?;
        }
    }
    Ok((STREAMS * EXCHANGES * MESSAGE) as u64)
}

fn exchange_datagrams(address: SocketAddr) -> std::io::Result<u64> {
    let mut sockets = Vec::new();
    for _ in 0..SENDERS {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(address)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        split_into(&socket, DATAGRAM)?;
        sockets.push(socket);
    }
    let (flight, mut buffer, mut sum) = (vec![7; FLIGHT * DATAGRAM], [0; 2048], 0);
    for _ in 0..FLIGHTS {
        for socket in &sockets {
            socket.send(&flight)?;
        }
        for socket in &sockets {
            for _ in 0..FLIGHT {
                sum += socket.recv(&mut buffer)? as u64;
            }
        }
    }
    Ok(sum)
}

/// Has the kernel split what the socket sends into datagrams of that length.
fn split_into(socket: &UdpSocket, length: usize) -> std::io::Result<()> {
    let length = length as libc::c_int;
    // SAFETY: the option is an integer, of which a live one is given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_UDP,
            libc::UDP_SEGMENT,
            (&raw const length).cast(),
            size_of_val(&length) as libc::socklen_t,
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

fn discard(mut stream: TcpStream) -> std::io::Result<u64> {
    let (mut buffer, mut sum) = (vec![0; CHUNK], 0);
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(sum),
            length => sum += length as u64,
        }
    }
}

fn send_through(address: SocketAddr) -> std::io::Result<u64> {
    let mut into = TcpStream::connect(address)?;
    let out = TcpStream::connect(address)?;
    // The reader ends both ways when it has all.
    let reader = std::thread::spawn(move || {
        out.shutdown(Shutdown::Write)?;
        discard(out)
    });
    let chunk = vec![7; CHUNK];
    for _ in 0..CHUNKS {
        into.write_all(&chunk)?;
    }
    into.shutdown(Shutdown::Write)?;
    reader.join().expect("it does not panic")
}
