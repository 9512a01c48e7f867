//! What whoever reaches the port of the links may send: cut into frames, or an end of the connection.

use std::time::Duration;

use fuzz::Answer;

use super::wire::{ANSWER, BEAT, Reader, STRANGER_BODY_BYTES_MAX, encode, hello, version_of};

#[test]
fn what_is_fed_to_a_link_is_cut_into_frames_or_ends_it() {
    let mut answer = hello();
    encode(&mut answer, 7, ANSWER, b"what was asked");
    encode(&mut answer, 0, BEAT, b"");
    let mut call = hello();
    encode(&mut call, 1, 0x10, &[]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let fed = fuzz::feed(env!("CARGO_MANIFEST_DIR"), "links-frames", vec![answer, call], |bytes| {
        runtime.block_on(async {
            let mut reader = Reader::new(bytes, STRANGER_BODY_BYTES_MAX);
            let mut said = String::new();
            loop {
                match reader.next(Duration::from_secs(1)).await {
                    Ok(frame) => {
                        assert!(frame.body.len() <= STRANGER_BODY_BYTES_MAX);
                        said += if version_of(&frame).is_ok() { "hello " } else { "frame " };
                    }
                    Err(broken) => return Answer::of_text(&format!("{said}{broken}")),
                }
            }
        })
    });
    assert!(fed.answers > 4, "{fed:?}");
}
