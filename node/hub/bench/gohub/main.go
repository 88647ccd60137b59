// Command gohub is a bare Go broadcaster, a yardstick: frames (four bytes of length, payload) from one connection go to every other. What the connection that reads gets in one read is one
// chunk, shared by all; each connection has a queue of chunks and a goroutine that writes them over TLS, joined into one system call. It keeps nothing, verifies nothing and knows nobody.
package main

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"slices"
	"sync"
	"time"
)

const (
	maxFrame   = 1 << 20
	maxPending = 8 << 20 // bytes; a connection that has more to come is dropped
	writeTime  = 10 * time.Second
)

// hub is the set of connections: an immutable slice, replaced when somebody comes or goes.
type hub struct {
	mu   sync.Mutex // protects all
	all  []*conn
	pool sync.Pool
}

type conn struct {
	hub  *hub
	tls  *tls.Conn // what frames go through
	join *joiner

	mu      sync.Mutex // protects what follows
	news    *sync.Cond
	queue   [][]byte
	pending int
	closed  bool
}

func (h *hub) change(add, remove *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	next := slices.DeleteFunc(slices.Clone(h.all), func(c *conn) bool { return c == remove })
	if add != nil {
		next = append(next, add)
	}
	h.all = next
}

func (h *hub) now() []*conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all
}

func (c *conn) drop() {
	c.mu.Lock()
	c.closed = true
	c.news.Signal()
	c.mu.Unlock()
	c.join.Close() // tls.Conn.Close would wait behind a blocked Write
	c.hub.change(nil, c)
}

// send queues one shared slice; it never waits.
func (c *conn) send(b []byte) {
	c.mu.Lock()
	c.queue = append(c.queue, b)
	c.pending += len(b)
	over := c.pending > maxPending
	c.news.Signal()
	c.mu.Unlock()
	if over {
		c.drop()
	}
}

func (c *conn) write() {
	defer c.drop()
	for {
		c.mu.Lock()
		for len(c.queue) == 0 && !c.closed {
			c.news.Wait()
		}
		queue, closed := c.queue, c.closed
		c.queue, c.pending = nil, 0
		c.mu.Unlock()
		if closed {
			return
		}
		c.join.SetWriteDeadline(time.Now().Add(writeTime))
		b := c.hub.pool.Get().(*[]byte)
		*b = (*b)[:0]
		for _, s := range queue {
			*b = append(*b, s...)
		}
		_, err := c.tls.Write(*b)
		c.hub.pool.Put(b)
		if err != nil || c.join.flush() != nil {
			return
		}
	}
}

func (c *conn) read() error {
	r := bufio.NewReaderSize(c.tls, 4096)
	for {
		if _, err := r.Peek(1); err != nil {
			return err
		}
		have, _ := r.Peek(r.Buffered())
		n := whole(have)
		if n == 0 {
			head, err := r.Peek(4)
			if err != nil {
				return err
			}
			if n = 4 + int(binary.BigEndian.Uint32(head)); n > maxFrame {
				return fmt.Errorf("a frame of %d bytes", n)
			}
		}
		chunk := make([]byte, n)
		if _, err := io.ReadFull(r, chunk); err != nil {
			return err
		}
		for _, o := range c.hub.now() {
			if o != c {
				o.send(chunk)
			}
		}
	}
}

// whole is the length of the complete frames at the start of b.
func whole(b []byte) (n int) {
	for len(b)-n >= 4 {
		k := 4 + int(binary.BigEndian.Uint32(b[n:]))
		if n+k > len(b) {
			break
		}
		n += k
	}
	return n
}

// joiner sits under a TLS connection: after the handshake its records collect until flush. One goroutine writes.
type joiner struct {
	net.Conn
	on  bool
	buf bytes.Buffer
}

func (j *joiner) Write(b []byte) (int, error) {
	if j.on {
		return j.buf.Write(b)
	}
	return j.Conn.Write(b)
}

func (j *joiner) flush() error {
	_, err := j.Conn.Write(j.buf.Bytes())
	j.buf.Reset()
	if j.buf.Cap() > 64<<10 {
		j.buf = bytes.Buffer{}
	}
	return err
}

func (h *hub) serve(raw net.Conn, config *tls.Config) {
	join := &joiner{Conn: raw}
	c := &conn{hub: h, tls: tls.Server(join, config), join: join}
	c.news = sync.NewCond(&c.mu)
	if err := c.tls.Handshake(); err != nil {
		raw.Close()
		return
	}
	join.on = true
	h.change(c, nil)
	go c.write()
	c.read()
	c.drop()
}

// certificate makes one that says nothing.
func certificate() (*tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	bare := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, bare, bare, &key.PublicKey, key)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS13,
		DynamicRecordSizingDisabled: true, SessionTicketsDisabled: true}, err
}

func run() error {
	address := flag.String("addr", "127.0.0.1:4327", "where to listen")
	flag.Parse()
	config, err := certificate()
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", *address)
	if err != nil {
		return err
	}
	h := &hub{pool: sync.Pool{New: func() any { b := make([]byte, 0, 64<<10); return &b }}}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go h.serve(c, config)
	}
}

func main() {
	fmt.Fprintln(os.Stderr, run())
	os.Exit(1)
}
