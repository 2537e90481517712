//! Gzip whose bytes depend on nothing but the content: one pure compressor, no name, no time.
//!
//! The compressor behind `flate2` is chosen by whatever else is in the build, and some of them use other instructions
//! on other processors and then other matches.

use std::io::{self, Write};

use flate2::Crc;
use miniz_oxide::deflate::core::{CompressorOxide, create_comp_flags_from_zip_params};
use miniz_oxide::deflate::stream::deflate;
use miniz_oxide::{MZFlush, MZStatus};

const LEVEL: i32 = 6;

/// Magic, deflate, no flags, time 0, no extra flags, unknown system. Source: RFC 1952, 2.3.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// Compresses what is written to it; [`GzipWriter::finish`] ends the stream.
pub struct GzipWriter<W> {
    compressor: Box<CompressorOxide>,
    check: Crc,
    output: W,
}

impl<W: Write> GzipWriter<W> {
    /// # Errors
    /// As the output fails.
    pub fn new(mut output: W) -> io::Result<Self> {
        output.write_all(&HEADER)?;
        // Negative window bits: raw deflate, without the frame of zlib.
        let flags = create_comp_flags_from_zip_params(LEVEL, -15, 0);
        Ok(Self { compressor: Box::new(CompressorOxide::new(flags)), check: Crc::new(), output })
    }

    fn push(&mut self, mut input: &[u8], flush: MZFlush) -> io::Result<()> {
        let mut buffer = [0; 16 << 10];
        loop {
            let step = deflate(&mut self.compressor, input, &mut buffer, flush);
            input = &input[step.bytes_consumed..];
            self.output.write_all(&buffer[..step.bytes_written])?;
            match step.status {
                Ok(MZStatus::StreamEnd) => return Ok(()),
                Ok(_) if flush == MZFlush::None && input.is_empty() => return Ok(()),
                Ok(_) => {}
                Err(error) => return Err(io::Error::other(format!("deflate: {error:?}"))),
            }
        }
    }

    /// # Errors
    /// As the output fails; or the compressor, which no input makes it do.
    pub fn finish(mut self) -> io::Result<W> {
        self.push(&[], MZFlush::Finish)?;
        self.output.write_all(&self.check.sum().to_le_bytes())?;
        self.output.write_all(&self.check.amount().to_le_bytes())?;
        Ok(self.output)
    }
}

impl<W: Write> Write for GzipWriter<W> {
    fn write(&mut self, input: &[u8]) -> io::Result<usize> {
        if !input.is_empty() {
            self.check.update(input);
            self.push(input, MZFlush::None)?;
        }
        Ok(input.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// # Errors
/// As [`GzipWriter::finish`].
pub fn gzip(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut writer = GzipWriter::new(Vec::new())?;
    writer.write_all(content)?;
    writer.finish()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn what_is_compressed_comes_back_however_it_was_written() {
        let mut content = b"flyte ".repeat(50_000);
        content.extend((0..200_000_u32).flat_map(|n| blake3::hash(&n.to_le_bytes()).as_bytes()[..2].to_vec()));
        let whole = gzip(&content).unwrap();
        let mut writer = GzipWriter::new(Vec::new()).unwrap();
        content.chunks(777).for_each(|chunk| writer.write_all(chunk).unwrap());
        assert_eq!(writer.finish().unwrap().len(), whole.len());
        let mut back = Vec::new();
        flate2::read::GzDecoder::new(whole.as_slice()).read_to_end(&mut back).unwrap();
        assert!(back == content);
        let mut empty = Vec::new();
        flate2::read::GzDecoder::new(gzip(b"").unwrap().as_slice()).read_to_end(&mut empty).unwrap();
        assert!(empty.is_empty());
    }

    #[test]
    fn the_bytes_are_always_the_same() {
        assert_eq!(
            gzip(b"hello hello hello").unwrap(),
            [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x57, 0xc8, 0x40, 0x90, 0x00]
                .into_iter()
                .chain(crc(b"hello hello hello"))
                .collect::<Vec<u8>>()
        );
    }

    fn crc(content: &[u8]) -> Vec<u8> {
        let mut check = Crc::new();
        check.update(content);
        [check.sum().to_le_bytes(), check.amount().to_le_bytes()].concat()
    }
}
