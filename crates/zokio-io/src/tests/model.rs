//! Random operations against models that are plainly right.

use super::block_on;
use super::script::{Script, Step};
use crate::{
    AsyncBufReadExt, AsyncReadExt, AsyncSeekExt, AsyncWriteExt, BufReader, BufWriter, ReadBuf,
};
use proptest::collection::vec;
use proptest::prelude::*;
use std::io::{Cursor, IoSlice, SeekFrom};
use std::mem::MaybeUninit;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    vec(
        prop_oneof![(1usize..40).prop_map(Step::Pass), Just(Step::Wait)],
        0..60,
    )
}

fn data() -> impl Strategy<Value = Vec<u8>> {
    vec(0u8..5, 0..400)
}

#[derive(Debug, Clone)]
enum Reading {
    Read(usize),
    Until(u8),
    Consume(usize),
    Seek(i64),
    SeekTo(u64),
}

fn reading() -> impl Strategy<Value = Reading> {
    prop_oneof![
        (0usize..30).prop_map(Reading::Read),
        (0u8..6).prop_map(Reading::Until),
        (0usize..10).prop_map(Reading::Consume),
        (-30i64..30).prop_map(Reading::Seek),
        (0u64..500).prop_map(Reading::SeekTo),
    ]
}

#[derive(Debug, Clone)]
enum Writing {
    Write(Vec<u8>),
    Vectored(Vec<Vec<u8>>),
    Flush,
    Seek(u64),
}

fn writing() -> impl Strategy<Value = Writing> {
    prop_oneof![
        vec(any::<u8>(), 0..30).prop_map(Writing::Write),
        vec(vec(any::<u8>(), 0..8), 0..5).prop_map(Writing::Vectored),
        Just(Writing::Flush),
        (0u64..100).prop_map(Writing::Seek),
    ]
}

#[derive(Debug, Clone)]
enum Filling {
    Put(Vec<u8>),
    Initialize(usize),
    Advance(usize),
    SetFilled(usize),
    Clear,
}

fn filling() -> impl Strategy<Value = Filling> {
    prop_oneof![
        vec(any::<u8>(), 0..9).prop_map(Filling::Put),
        (0usize..20).prop_map(Filling::Initialize),
        (0usize..9).prop_map(Filling::Advance),
        (0usize..20).prop_map(Filling::SetFilled),
        Just(Filling::Clear),
    ]
}

/// Writes; nothing means nothing, also behind the end, where a cursor would fill the gap.
fn append(model: &mut Cursor<Vec<u8>>, bytes: &[u8]) {
    if !bytes.is_empty() {
        std::io::Write::write_all(model, bytes).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn copy_copies(bytes in data(), reads in steps(), writes in steps()) {
        block_on(async {
            let mut reader = Script::reading(&bytes, reads.clone());
            let mut writer = Script::writing(writes.clone());
            let copied = crate::copy(&mut reader, &mut writer).await.unwrap();
            assert_eq!(copied, bytes.len() as u64);
            assert_eq!(writer.written, bytes);
            let mut reader = BufReader::with_capacity(7, Script::reading(&bytes, reads));
            let mut writer = Script::writing(writes);
            crate::copy_buf(&mut reader, &mut writer).await.unwrap();
            assert_eq!(writer.written, bytes);
        });
    }

    #[test]
    fn copy_bidirectional_copies(
        there in data(), back in data(), steps in (steps(), steps(), steps(), steps()),
        sizes in (1usize..50, 1usize..50),
    ) {
        block_on(async {
            let mut a = Script::reading(&there, steps.0);
            a.writes = steps.1.into();
            let mut b = Script::reading(&back, steps.2);
            b.writes = steps.3.into();
            let copy = crate::copy_bidirectional_with_sizes(&mut a, &mut b, sizes.0, sizes.1);
            assert_eq!(copy.await.unwrap(), (there.len() as u64, back.len() as u64));
            assert_eq!(a.written, back);
            assert_eq!(b.written, there);
        });
    }

    #[test]
    fn buf_reader_reads_like_its_source(
        bytes in data(), capacity in 1usize..40, operations in vec(reading(), 0..60),
    ) {
        block_on(async {
            let mut reader = BufReader::with_capacity(capacity, Cursor::new(bytes.clone()));
            let mut position = 0usize;
            for operation in operations {
                let rest = bytes.get(position..).unwrap_or(&[]);
                match operation {
                    Reading::Read(length) => {
                        let mut buf = vec![0; length];
                        let count = reader.read(&mut buf).await.unwrap();
                        assert_eq!(&buf[..count], &rest[..count]);
                        assert!(count > 0 || length == 0 || rest.is_empty());
                        position += count;
                    }
                    Reading::Until(byte) => {
                        let mut buf = Vec::new();
                        let count = reader.read_until(byte, &mut buf).await.unwrap();
                        let end = rest.iter().position(|&at| at == byte);
                        assert_eq!(count, end.map_or(rest.len(), |end| end + 1));
                        assert_eq!(buf, &rest[..count]);
                        position += count;
                    }
                    Reading::Consume(most) => {
                        let shown = reader.fill_buf().await.unwrap();
                        assert_eq!(shown, &rest[..shown.len()]);
                        assert!(!shown.is_empty() || rest.is_empty());
                        let count = most.min(shown.len());
                        reader.consume(count);
                        position += count;
                    }
                    Reading::Seek(by) => {
                        let target = position as i64 + by;
                        let result = reader.seek(SeekFrom::Current(by)).await;
                        assert_eq!(result.is_ok(), target >= 0);
                        if let Ok(at) = result {
                            assert_eq!(at as i64, target);
                            position = at as usize;
                        }
                    }
                    Reading::SeekTo(at) => {
                        assert_eq!(reader.seek(SeekFrom::Start(at)).await.unwrap(), at);
                        position = at as usize;
                    }
                }
            }
        });
    }

    #[test]
    fn buf_writer_writes_like_its_sink(
        capacity in 0usize..40, operations in vec(writing(), 0..60),
    ) {
        block_on(async {
            let mut model = Cursor::new(Vec::new());
            let mut writer = BufWriter::with_capacity(capacity, Cursor::new(Vec::new()));
            for operation in operations {
                match operation {
                    Writing::Write(bytes) => {
                        if bytes.is_empty() {
                            continue;
                        }
                        let count = writer.write(&bytes).await.unwrap();
                        assert_eq!(count, bytes.len());
                        append(&mut model, &bytes);
                    }
                    Writing::Vectored(bufs) => {
                        if bufs.concat().is_empty() {
                            continue;
                        }
                        let slices: Vec<_> = bufs.iter().map(|buf| IoSlice::new(buf)).collect();
                        let count = writer.write_vectored(&slices).await.unwrap();
                        let joined = bufs.concat();
                        assert!(count > 0 || joined.is_empty());
                        append(&mut model, &joined[..count]);
                    }
                    Writing::Flush => {
                        writer.flush().await.unwrap();
                        assert_eq!(writer.get_ref(), &model);
                    }
                    Writing::Seek(at) => {
                        assert_eq!(writer.seek(SeekFrom::Start(at)).await.unwrap(), at);
                        model.set_position(at);
                    }
                }
            }
            writer.shutdown().await.unwrap();
            assert_eq!(writer.into_inner(), model);
        });
    }

    #[test]
    fn buf_writer_survives_a_slow_sink(
        bytes in data(), capacity in 0usize..40, writes in steps(), vectored in any::<bool>(),
        pieces in vec(1usize..30, 1..40),
    ) {
        block_on(async {
            let mut sink = Script::writing(writes);
            sink.vectored = vectored;
            let mut writer = BufWriter::with_capacity(capacity, sink);
            let mut rest = &bytes[..];
            for piece in pieces.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (first, second) = rest.split_at(piece / 2 % (rest.len() + 1));
                let second = &second[..second.len().min(*piece)];
                let slices = [IoSlice::new(first), IoSlice::new(second)];
                let count = writer.write_vectored(&slices).await.unwrap();
                rest = &rest[count..];
            }
            writer.flush().await.unwrap();
            assert_eq!(writer.into_inner().written, bytes);
        });
    }

    #[test]
    fn duplex_is_a_bounded_queue(capacity in 1usize..20, operations in vec((any::<bool>(), 0usize..30), 0..80)) {
        let (mut a, mut b) = crate::duplex(capacity);
        let mut model = std::collections::VecDeque::new();
        let mut next = 0u8;
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        for (is_write, length) in operations {
            if is_write {
                let bytes: Vec<u8> = (0..length).map(|at| next.wrapping_add(at as u8)).collect();
                match std::pin::pin!(a.write(&bytes)).poll(&mut cx) {
                    std::task::Poll::Ready(count) => {
                        let count = count.unwrap();
                        assert_eq!(count, length.min(capacity - model.len()));
                        model.extend(&bytes[..count]);
                        next = next.wrapping_add(count as u8);
                    }
                    std::task::Poll::Pending => assert_eq!(model.len(), capacity),
                }
            } else {
                let mut bytes = vec![0; length];
                match std::pin::pin!(b.read(&mut bytes)).poll(&mut cx) {
                    std::task::Poll::Ready(count) => {
                        let count = count.unwrap();
                        assert_eq!(count, length.min(model.len()));
                        assert!(bytes[..count].iter().copied().eq(model.drain(..count)));
                    }
                    std::task::Poll::Pending => assert!(model.is_empty()),
                }
            }
        }
    }

    #[test]
    fn read_buf_is_a_vector_with_a_border(operations in vec(filling(), 0..40)) {
        let mut memory = [MaybeUninit::uninit(); 16];
        let mut buf = ReadBuf::uninit(&mut memory);
        // The bytes that are initialised, and how many of them are filled.
        let mut known: Vec<u8> = Vec::new();
        let mut filled = 0;
        for operation in operations {
            match operation {
                Filling::Put(bytes) if bytes.len() <= buf.remaining() => {
                    buf.put_slice(&bytes);
                    let end = filled + bytes.len();
                    known.resize(known.len().max(end), 0);
                    known[filled..end].copy_from_slice(&bytes);
                    filled = end;
                }
                Filling::Initialize(count) if count <= buf.remaining() => {
                    let length = buf.initialize_unfilled_to(count).len();
                    assert_eq!(length, count);
                    known.resize(known.len().max(filled + count), 0);
                }
                Filling::Advance(count) if filled + count <= known.len() => {
                    buf.advance(count);
                    filled += count;
                }
                Filling::SetFilled(count) if count <= known.len() => {
                    buf.set_filled(count);
                    filled = count;
                }
                Filling::Clear => {
                    buf.clear();
                    filled = 0;
                }
                _ => continue,
            }
            assert_eq!(buf.filled(), &known[..filled]);
            assert_eq!(buf.initialized(), &known[..]);
            assert_eq!(buf.remaining(), 16 - filled);
        }
    }

    #[test]
    fn read_to_end_reads_everything(
        bytes in data(), start in data(), capacity in 0usize..500, reads in steps(),
    ) {
        block_on(async {
            let mut vec = Vec::with_capacity(capacity);
            vec.extend_from_slice(&start);
            let mut source = Script::reading(&bytes, reads);
            let count = source.read_to_end(&mut vec).await.unwrap();
            assert_eq!(count, bytes.len());
            assert_eq!(vec, [start, bytes].concat());
        });
    }
}
