package roster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/hashicorp/go-msgpack/v2/codec"

	"earshot/node/identity"
)

const (
	// maxStream is more than the state of maxNodes takes: each is about 500 bytes.
	maxStream = 2 << 20
	// headRoom holds the header of a push/pull, which is 35 bytes. What follows, at least one node with its Meta, is longer.
	headRoom = 64
)

var errStream = errors.New("not a gossip stream of this network")

// A stream is an admitted connection as memberlist may use it: it starts with a message that is not compressed, says that it brings no more than
// memberlist should make room for before it has read it, which goes for what is in it too (items), and does not go on for ever.
type stream struct {
	*identity.Conn
	in      *bufio.Reader
	left    int
	items   items
	checked bool

	once   sync.Once
	closed chan struct{} // by Close
	stop   func() bool   // ends the watch on the transport's end
}

// newStream returns a stream over c that is cut when ctx ends.
func newStream(ctx context.Context, c *identity.Conn) *stream {
	stop := context.AfterFunc(ctx, func() { c.NetConn().Close() })
	return &stream{Conn: c, in: bufio.NewReader(c), left: maxStream, closed: make(chan struct{}), stop: stop}
}

func (s *stream) Read(b []byte) (int, error) {
	if !s.checked {
		if err := s.check(); err != nil {
			return 0, err
		}
		s.checked = true
	}
	if s.left == 0 {
		return 0, fmt.Errorf("%w: longer than %d bytes", errStream, maxStream)
	}
	n, err := s.in.Read(b[:min(len(b), s.left)])
	from := 0
	if s.left == maxStream {
		from = min(n, 1) // the message's type
	}
	if s.left -= n; !s.items.take(b[from:n]) {
		return 0, fmt.Errorf("%w: what memberlist never sends", errStream)
	}
	return n, err
}

// check looks at how the stream begins.
func (s *stream) check() error {
	head, err := s.in.Peek(1)
	if err != nil {
		return err
	}
	switch head[0] {
	case typePing, typeAck, typeError:
		return nil
	case typePushPull:
		if head, err = s.in.Peek(headRoom); err != nil {
			return err
		}
		return checkHeader(head[1:])
	}
	return fmt.Errorf("%w: message type %d", errStream, head[0])
}

// checkHeader checks the header of a push/pull that b begins with. memberlist would make room for a million nodes and 20 MB on its word.
func checkHeader(b []byte) error {
	var header struct {
		Nodes        int
		UserStateLen int
		Join         bool
	}
	if err := codec.NewDecoderBytes(b, new(codec.MsgpackHandle)).Decode(&header); err != nil {
		return fmt.Errorf("%w: %w", errStream, err)
	}
	if header.Nodes < 0 || header.Nodes > maxNodes || header.UserStateLen != 0 {
		return fmt.Errorf("%w: %d nodes and %d bytes more", errStream, header.Nodes, header.UserStateLen)
	}
	return nil
}

// Close may be called more than once.
func (s *stream) Close() (err error) {
	s.once.Do(func() {
		err = s.Conn.Close()
		s.stop()
		close(s.closed)
	})
	return err
}
