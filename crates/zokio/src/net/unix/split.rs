//! Halves of a Unix-domain stream, borrowed and owned, so that one task reads while another writes.

use super::{SocketAddr, UnixStream};

stream_halves!(UnixStream, SocketAddr);
