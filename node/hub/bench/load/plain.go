package load

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"

	"earshot/node/identity"
)

const bufferSize = 64 << 10

// take counts the messages in what was just read into c.buf[:c.n].
func (g *generator) take(p protocol, c *client) {
	b, k := c.buf[:c.n], int64(0)
	for len(b) > 0 {
		n, body, reply := p.next(b)
		if n == 0 {
			break
		}
		if body != nil {
			k++
			g.delivered(c, body)
		}
		if reply != nil {
			c.write(reply)
		}
		b = b[n:]
	}
	c.n = copy(c.buf, b)
	g.arrived(c, k)
}

// plainEngine is that of all protocols but earshot's own.
type plainEngine struct {
	*poller
	g *generator
	p protocol
}

func (e *plainEngine) dial(id int, r role) (*client, error) {
	w, err := connect(e.g.Address, r)
	if err != nil {
		return nil, err
	}
	var conn net.Conn = w
	c := &client{write: w.WriteSome}
	if e.g.Protocol == "length" {
		secure := tls.Client(w, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13})
		if err := secure.Handshake(); err != nil {
			return nil, err
		}
		conn, c.write = secure, secure.Write
	}
	rest, err := e.p.join(conn, id, r)
	if err != nil || r == deaf {
		return c, err
	}
	c.buf = make([]byte, bufferSize)
	c.n = copy(c.buf, rest)
	return c, e.watch(w, c, func() error { return e.g.readAll(e.p, c, conn) })
}

// readAll reads into c until there is nothing.
func (g *generator) readAll(p protocol, c *client, r io.Reader) error {
	for {
		k, err := r.Read(c.buf[c.n:])
		if k > 0 {
			c.n += k
			g.take(p, c)
		}
		if err == identity.ErrNothing {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// A protocol works on bytes; the engines own the sockets.
type protocol interface {
	// join logs in, a receiver to the one room, and returns when the server has confirmed, with what was read past that.
	join(rw io.ReadWriter, id int, r role) (rest []byte, err error)
	// publish appends what publishes body.
	publish(dst, body []byte) []byte
	// next looks at what is first in b: its length (0: incomplete), its body where it is a message, and what must be answered.
	next(b []byte) (n int, body, reply []byte)
}

var protocols = map[string]protocol{"irc": irc{}, "nats": nats{}, "jetstream": jetstream{}, "length": length{}}

// plain is an author of such a protocol.
type plain struct{ protocol }

func (p plain) say(n int, text []byte) ([]byte, error) {
	return bytes.Repeat(p.publish(nil, text), n), nil
}

// readUntil reads until done gives an end that is not negative, and returns what follows it.
func readUntil(r io.Reader, have []byte, done func([]byte) int) ([]byte, error) {
	b := make([]byte, 16<<10)
	for {
		if end := done(have); end >= 0 {
			return bytes.Clone(have[end:]), nil
		}
		n, err := r.Read(b)
		if n > 0 {
			have = append(have, b[:n]...)
			continue
		}
		if err == nil {
			err = io.EOF
		}
		return nil, fmt.Errorf("join: %w after %q", err, have[max(0, len(have)-200):])
	}
}

type irc struct{}

func (p irc) join(rw io.ReadWriter, id int, r role) ([]byte, error) {
	fmt.Fprintf(rw, "NICK f%d\r\nUSER f%d 0 * :f\r\n", id, id)
	rest, err := p.await(rw, nil, " 001 ")
	if err == nil { // the end of the message of the day, or none: that is all
		rest, err = p.await(rw, rest, " 376 ", " 422 ")
	}
	if err == nil { // who speaks must be on the channel too
		fmt.Fprintf(rw, "JOIN #room\r\n")
		rest, err = p.await(rw, rest, " 366 ")
	}
	return rest, err
}

// await takes lines, answering PING, until one has one of the numerics.
func (irc) await(rw io.ReadWriter, have []byte, want ...string) ([]byte, error) {
	at := 0
	return readUntil(rw, have, func(b []byte) int {
		for {
			i := bytes.IndexByte(b[at:], '\n')
			if i < 0 {
				return -1
			}
			line := b[at : at+i+1]
			at += i + 1
			if bytes.HasPrefix(line, []byte("PING ")) {
				rw.Write(append([]byte("PONG "), line[5:]...))
			}
			for _, w := range want {
				if bytes.Contains(line, []byte(w)) {
					return at
				}
			}
		}
	})
}

func (irc) publish(dst, body []byte) []byte {
	dst = append(dst, "PRIVMSG #room :"...)
	return append(append(dst, body...), '\r', '\n')
}

func (irc) next(b []byte) (int, []byte, []byte) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return 0, nil, nil
	}
	line := b[:i+1]
	if line[0] == ':' {
		if sp := bytes.IndexByte(line, ' '); sp > 0 && len(line) > sp+16 && string(line[sp+1:sp+9]) == "PRIVMSG " {
			if c := bytes.IndexByte(line[sp+9:], ':'); c >= 0 {
				return i + 1, line[sp+9+c+1 : i-1], nil
			}
		}
		return i + 1, nil, nil
	}
	if bytes.HasPrefix(line, []byte("PING ")) {
		return i + 1, nil, append([]byte("PONG "), line[5:]...)
	}
	return i + 1, nil, nil
}

type nats struct{}

func (nats) join(rw io.ReadWriter, id int, r role) ([]byte, error) {
	s := `CONNECT {"verbose":false,"pedantic":false,"echo":false,"lang":"go","version":"0","protocol":1}` + "\r\n"
	if r != talker {
		s += "SUB room 1\r\n"
	}
	io.WriteString(rw, s+"PING\r\n")
	return readUntil(rw, nil, func(b []byte) int {
		if i := bytes.Index(b, []byte("PONG\r\n")); i >= 0 {
			return i + 6
		}
		return -1
	})
}

func (nats) publish(dst, body []byte) []byte {
	dst = fmt.Appendf(dst, "PUB room %d\r\n", len(body))
	return append(append(dst, body...), '\r', '\n')
}

func (nats) next(b []byte) (int, []byte, []byte) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return 0, nil, nil
	}
	if b[0] == 'M' { // MSG room 1 <length>
		n := 0
		for _, ch := range b[bytes.LastIndexByte(b[:i], ' ')+1 : i-1] {
			n = n*10 + int(ch-'0')
		}
		if len(b) < i+1+n+2 {
			return 0, nil, nil
		}
		return i + 1 + n + 2, b[i+1 : i+1+n], nil
	}
	if b[0] == 'P' && b[1] == 'I' {
		return i + 1, nil, []byte("PONG\r\n")
	}
	return i + 1, nil, nil
}

// jetstream is NATS with a subject to answer to in all that is published: the stream's acknowledgements are the sender's messages.
type jetstream struct{ nats }

func (j jetstream) join(rw io.ReadWriter, id int, r role) ([]byte, error) {
	rest, err := j.nats.join(rw, id, r)
	switch {
	case err != nil:
	case r == talker:
		_, err = io.WriteString(rw, "SUB js.ack 2\r\n")
	case id == 0: // the first makes the stream
		req := `{"name":"ROOM","subjects":["room"],"storage":"file","retention":"limits","max_msgs":-1,"max_bytes":-1,"num_replicas":1}`
		fmt.Fprintf(rw, "SUB js.reply 9\r\nPUB $JS.API.STREAM.CREATE.ROOM js.reply %d\r\n%s\r\n", len(req), req)
		_, err = readUntil(rw, rest, func(b []byte) int {
			if bytes.Contains(b, []byte(`"did_create":true`)) && bytes.HasSuffix(b, []byte("}\r\n")) {
				return len(b)
			}
			return -1
		})
		rest = nil
	}
	return rest, err
}

func (jetstream) publish(dst, body []byte) []byte {
	dst = fmt.Appendf(dst, "PUB room js.ack %d\r\n", len(body))
	return append(append(dst, body...), '\r', '\n')
}

// length: four bytes of it, then the message (gohub).
type length struct{}

func (length) join(io.ReadWriter, int, role) ([]byte, error) { return nil, nil }

func (length) publish(dst, body []byte) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(body))), body...)
}

func (length) next(b []byte) (int, []byte, []byte) {
	if len(b) < 4 {
		return 0, nil, nil
	}
	n := 4 + int(binary.BigEndian.Uint32(b))
	if len(b) < n {
		return 0, nil, nil
	}
	return n, b[4:n], nil
}
