//! std::net as a module uses it, by its first argument; prints what happened, or the kind of the error.
use std::io::{ErrorKind, Read, Result, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};

/// Sends a text, says that there is no more, and prints the answer and both ends.
fn tcp(to: &str, text: &str) -> Result<()> {
    let mut stream = TcpStream::connect(to)?;
    let is_ipv4 = stream.peer_addr()?.is_ipv4();
    if is_ipv4 {
        stream.set_ttl(7)?;
    }
    stream.set_nodelay(true)?;
    stream.write_all(text.as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    println!("{answer}");
    println!("peer {} own {}", stream.peer_addr()?, stream.local_addr()?.ip());
    if is_ipv4 {
        println!("ttl {}", stream.ttl()?);
    }
    Ok(())
}

/// Sends datagrams and prints the answers, first to a place by name, then connected to it.
fn udp(to: &str, text: &str) -> Result<()> {
    let address: SocketAddr = to.to_socket_addrs()?.next().unwrap();
    let own = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(own)?;
    let mut buffer = vec![0; 65536];
    println!("sent {}", socket.send_to(text.as_bytes(), to)?);
    let (length, from) = socket.recv_from(&mut buffer)?;
    println!("{length} from {from}: {}", String::from_utf8_lossy(&buffer[..length.min(40)]));
    socket.connect(to)?;
    socket.send(b"again")?;
    let length = socket.recv(&mut buffer)?;
    println!("connected to {}: {}", socket.peer_addr()?, String::from_utf8_lossy(&buffer[..length]));
    Ok(())
}

/// Takes one connection and gives back what comes.
fn listen(at: &str) -> Result<()> {
    let listener = TcpListener::bind(at)?;
    println!("listening {}", listener.local_addr()?);
    let (mut stream, _) = listener.accept()?;
    let mut buffer = [0; 5000];
    loop {
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            break;
        }
        stream.write_all(&buffer[..length])?;
    }
    println!("closed");
    Ok(())
}

/// Connects again and again, and keeps the connections.
fn many(to: &str) -> Result<()> {
    let mut streams = Vec::new();
    loop {
        match TcpStream::connect(to) {
            Ok(stream) => streams.push(stream),
            Err(error) => {
                println!("{} open", streams.len());
                streams.pop();
                TcpStream::connect(to)?;
                return Err(error);
            }
        }
    }
}

/// Writes as long as the far end takes it, without waiting.
fn flood(to: &str) -> Result<()> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_nonblocking(true)?;
    let mut total = 0;
    loop {
        match stream.write(&[7; 65536]) {
            Ok(length) => total += length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    println!("full {}", total > 0);
    Ok(())
}

fn resolve(name: &str) -> Result<()> {
    for address in (name, 0).to_socket_addrs()? {
        println!("{}", address.ip());
    }
    Ok(())
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let argument = |index: usize| arguments.get(index).map_or("", |one| one.as_str());
    let done = match argument(1) {
        "tcp" => tcp(argument(2), argument(3)),
        "udp" => udp(argument(2), &argument(3).repeat(argument(4).parse().unwrap_or(1))),
        "listen" => listen(argument(2)),
        "many" => many(argument(2)),
        "flood" => flood(argument(2)),
        "resolve" => resolve(argument(2)),
        _ => Ok(()),
    };
    if let Err(error) = done {
        println!("failed {:?}", error.kind());
    }
}
