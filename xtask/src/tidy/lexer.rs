//! Splits Rust source into code and comments, so that text checks do not stumble over literals.
//!
//! Both halves keep the shape of the file: every line has the same number and every byte its
//! column, with spaces where the other half (or the content of a literal) stands. It is a scanner,
//! not a parser: it knows comments (nested ones too), strings, raw strings, characters and
//! lifetimes, and that is all the checks need.

/// A file as two texts of equal shape.
#[derive(Debug)]
pub(super) struct Split {
    /// Code, with comments and the contents of literals blanked.
    pub(super) code: Vec<String>,
    /// Comments with their markers, everything else blanked.
    pub(super) comments: Vec<String>,
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    code: Vec<u8>,
    comments: Vec<u8>,
}

/// Splits `text`.
pub(super) fn split(text: &str) -> Split {
    let bytes = text.as_bytes();
    let blank: Vec<u8> = bytes
        .iter()
        .map(|b| if *b == b'\n' { b'\n' } else { b' ' })
        .collect();
    let mut scanner = Scanner {
        bytes,
        at: 0,
        code: blank.clone(),
        comments: blank,
    };
    while scanner.at < bytes.len() {
        scanner.step();
    }
    Split {
        code: lines(&scanner.code),
        comments: lines(&scanner.comments),
    }
}

fn lines(bytes: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(bytes)
        .lines()
        .map(str::to_string)
        .collect()
}

impl Scanner<'_> {
    fn step(&mut self) {
        let rest = &self.bytes[self.at..];
        if rest.starts_with(b"//") {
            let length = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
            self.comment(length);
        } else if rest.starts_with(b"/*") {
            self.comment(block_comment_length(rest));
        } else if rest[0] == b'"' {
            self.literal(0, string_length(rest));
        } else if let Some((prefix, length)) = raw_string(rest).filter(|_| !self.in_word()) {
            self.literal(prefix, length);
        } else if rest[0] == b'\'' {
            match char_length(rest) {
                Some(length) => self.literal(0, length),
                None => self.keep(1),
            }
        } else {
            self.keep(1);
        }
    }

    /// Whether the byte before belongs to the same word, as in `attr"`.
    fn in_word(&self) -> bool {
        self.at > 0 && is_word(self.bytes[self.at - 1])
    }

    fn keep(&mut self, length: usize) {
        for i in self.at..self.at + length {
            if self.bytes[i].is_ascii() {
                self.code[i] = self.bytes[i];
            }
        }
        self.at += length;
    }

    fn comment(&mut self, length: usize) {
        self.comments[self.at..self.at + length]
            .copy_from_slice(&self.bytes[self.at..self.at + length]);
        self.at += length;
    }

    /// Blanks a literal but for its prefix and its first and last byte.
    fn literal(&mut self, prefix: usize, length: usize) {
        self.keep(prefix + 1);
        let end = self.at + length - prefix - 1;
        if length > prefix + 1 {
            self.at = end - 1;
            self.keep(1);
        }
    }
}

/// Whether `byte` can be part of an identifier.
pub(super) fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric() || !byte.is_ascii()
}

fn block_comment_length(rest: &[u8]) -> usize {
    let (mut at, mut depth) = (0, 0usize);
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

fn string_length(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// The length of the prefix before the opening quote and of the whole raw string.
fn raw_string(rest: &[u8]) -> Option<(usize, usize)> {
    let mut at = usize::from(matches!(rest[0], b'b' | b'c'));
    if rest.get(at) != Some(&b'r') {
        return None;
    }
    at += 1;
    let hashes = rest[at..].iter().take_while(|b| **b == b'#').count();
    at += hashes;
    if rest.get(at) != Some(&b'"') {
        return None;
    }
    let prefix = at;
    let mut end = vec![b'"'];
    end.resize(1 + hashes, b'#');
    let body = &rest[prefix + 1..];
    let length = body
        .windows(end.len())
        .position(|w| w == end)
        .map_or(rest.len(), |found| prefix + 1 + found + end.len());
    Some((prefix, length))
}

/// The length of a character literal; `None` for a lifetime or a label.
fn char_length(rest: &[u8]) -> Option<usize> {
    if rest.get(1) == Some(&b'\\') {
        let end = rest[3.min(rest.len())..].iter().position(|b| *b == b'\'')?;
        return Some(3 + end + 1);
    }
    let width = std::str::from_utf8(&rest[1..rest.len().min(5)])
        .or_else(|e| std::str::from_utf8(&rest[1..1 + e.valid_up_to()]))
        .ok()
        .and_then(|text| text.chars().next())
        .map(char::len_utf8)?;
    (rest.get(1 + width) == Some(&b'\'')).then_some(width + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        split(text).code.join("\n")
    }

    #[test]
    fn comments_are_taken_out_of_code() {
        let split = split("a(); // b()\n/* c /* d */ e */ f();");
        assert_eq!(split.code[0].trim(), "a();");
        assert_eq!(split.comments[0].trim(), "// b()");
        assert_eq!(split.code[1].trim(), "f();");
        assert_eq!(split.comments[1].trim(), "/* c /* d */ e */");
    }

    #[test]
    fn literals_are_blanked() {
        assert_eq!(
            code(r#"x("{ // }", 'a', '\'', '{');"#),
            r#"x("      ", ' ', '  ', ' ');"#
        );
        assert_eq!(code("x(r#\"a\"{\"#);"), "x(r#\"    #);".to_string());
        assert_eq!(code("let a = \"\\\\\"; {"), "let a = \"  \"; {");
    }

    #[test]
    fn lifetimes_are_not_characters() {
        assert_eq!(
            code("fn f<'a>(x: &'a str) { 'l: loop {} }"),
            "fn f<'a>(x: &'a str) { 'l: loop {} }"
        );
        assert_eq!(code("'é' {"), "'  ' {");
    }

    #[test]
    fn lines_keep_their_numbers() {
        let split = split("a\n\"b\nc\"\nd\n");
        assert_eq!(split.code.len(), 4);
        assert_eq!(split.code[3], "d");
    }
}
