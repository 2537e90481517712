//! Prime numbers over HTTP: `GET /primes?below=50`. One thread per connection, no dependencies.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;
use std::{env, io, thread};

/// The greatest `below` that is answered.
const LIMIT: usize = 10_000_000;

fn main() -> io::Result<()> {
    let port = env::var("PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(8091);
    let listener = TcpListener::bind(("0.0.0.0", port))?;
    println!("serving primes on port {port}");
    for stream in listener.incoming() {
        match stream {
            Ok(stream) => drop(thread::spawn(move || serve(stream))),
            Err(error) => eprintln!("a connection was lost: {error}"),
        }
    }
    Ok(())
}

fn serve(stream: TcpStream) {
    if let Err(error) = stream.set_read_timeout(Some(Duration::from_secs(10))).and_then(|()| exchange(stream)) {
        eprintln!("a request was lost: {error}");
    }
}

/// One request and its answer.
fn exchange(mut stream: TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut header = String::new();
    while reader.read_line(&mut header)? > 2 {
        header.clear();
    }
    let target = request.split_whitespace().nth(1).unwrap_or("/");
    let (status, body) = answer(target);
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )?;
    stream.flush()
}

fn answer(target: &str) -> (&'static str, String) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    match path {
        "/healthz" => ("200 OK", "ok\n".into()),
        "/" => ("200 OK", "Prime numbers: /primes?below=50\n".into()),
        "/primes" => match query.strip_prefix("below=").unwrap_or("100").parse() {
            Ok(below) if below <= LIMIT => ("200 OK", lines(&primes(below))),
            _ => ("400 Bad Request", format!("`below` is a number up to {LIMIT}\n")),
        },
        _ => ("404 Not Found", "not found\n".into()),
    }
}

fn lines(numbers: &[usize]) -> String {
    numbers.iter().map(|number| format!("{number}\n")).collect()
}

/// The primes below a number, by the sieve of Eratosthenes.
fn primes(below: usize) -> Vec<usize> {
    let mut is_prime = vec![true; below];
    let mut found = Vec::new();
    for number in 2..below {
        if is_prime[number] {
            found.push(number);
            (number * number..below).step_by(number).for_each(|multiple| is_prime[multiple] = false);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sieve() {
        assert_eq!(primes(20), [2, 3, 5, 7, 11, 13, 17, 19]);
        assert_eq!(primes(0), []);
        assert_eq!(answer("/primes?below=x").0, "400 Bad Request");
    }
}
