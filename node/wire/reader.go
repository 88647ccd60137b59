package wire

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"
)

// A buffer is the memory of a Reader.
type buffer []byte

// sizes are those a buffer has. A link on which little comes has the smallest; the largest holds the largest frame, and under
// load several, so that one read of the connection serves a whole run of frames.
var sizes = [...]int{512, 4 << 10, 32 << 10, 128 << 10}

// few is how much is little. A TLS record brings 16 KiB, which is as much as runs that are taken together may have (package exchange), and of most some lies in the next.
const few = 48 << 10

// spare keeps buffers no Reader uses, by the index of their size. It is a cache without meaning.
var spare [len(sizes)]sync.Pool

func take(class int) *buffer {
	if b, ok := spare[class].Get().(*buffer); ok {
		return b
	}
	b := make(buffer, sizes[class])
	return &b
}

// A Reader reads frames. Its buffer starts small, grows while frames fill it, and is given back when the link is quiet.
// It grows only by what has arrived: who claims a large frame and sends none of it takes no memory.
type Reader struct {
	src   io.Reader
	buf   *buffer // nil: none (Rest)
	class int     // of buf, an index of sizes
	r, w  int     // buf[r:w] is not read yet
	last  int     // how much the last read brought
	err   error   // of the last read, if it brought something too
	few   int     // how much is read on for, where reading does not wait
}

// NewReader returns a Reader of frames from r, usually an admitted connection.
func NewReader(r io.Reader) *Reader { return &Reader{src: r} }

// Unwaiting says that a read of the connection does not wait any more (identity.Conn.Awaits). Then a read goes on where it brought little: what came in small records is there together.
func (r *Reader) Unwaiting() { r.few = few }

// Rest gives the memory away until the next read, where nothing in it is unread: a link at rest needs none (there are many of them). The last frame's body is not valid any more.
func (r *Reader) Rest() {
	if r.buf != nil && r.r == r.w {
		spare[r.class].Put(r.buf)
		r.buf, r.r, r.w = nil, 0, 0
	}
}

// Next returns the next frame; body is valid until the following call. It waits for the connection as long as the deadline set there
// allows. The error is io.EOF where the stream ends between two frames, io.ErrUnexpectedEOF inside one, wraps ErrFrame for a length
// that is not allowed, and is the connection's otherwise; after a timeout Next may be called again and nothing is lost.
func (r *Reader) Next() (t Type, body []byte, err error) {
	for {
		size, err := r.whole()
		if err != nil {
			return 0, nil, err
		}
		if size > 0 {
			frame := (*r.buf)[r.r : r.r+size : r.r+size]
			r.r += size
			return Type(frame[HeaderLen-1]), frame[HeaderLen:], nil
		}
		if err := r.fill(); err != nil {
			if err == io.EOF && r.r < r.w {
				err = io.ErrUnexpectedEOF
			}
			return 0, nil, err
		}
	}
}

// Ahead returns the whole frame that lies so many bytes behind the next, if it is there already, and its length; 0: it is not. Its body is valid as long as that of the last frame that Next
// returned.
func (r *Reader) Ahead(skip int) (t Type, body []byte, size int) {
	ahead := Reader{buf: r.buf, r: r.r + skip, w: r.w}
	size, err := ahead.whole()
	if err != nil || size == 0 {
		return 0, nil, 0
	}
	frame := (*r.buf)[ahead.r : ahead.r+size : ahead.r+size]
	return Type(frame[HeaderLen-1]), frame[HeaderLen:], size
}

// Skip drops so many bytes of frames that Ahead returned.
func (r *Reader) Skip(bytes int) { r.r += bytes }

// Buffered reports whether a whole frame is there already (or the error that stands in its place), so that Next would not wait.
func (r *Reader) Buffered() bool {
	size, err := r.whole()
	return size > 0 || err != nil || r.err != nil
}

// whole returns the size of the frame that is next, header included, if all of it is there, else 0.
func (r *Reader) whole() (int, error) {
	if r.w-r.r < HeaderLen-1 {
		return 0, nil
	}
	b := (*r.buf)[r.r:r.w]
	n := binary.BigEndian.Uint32(b)
	if n < 1 || n > MaxFrame {
		return 0, fmt.Errorf("%w: %d bytes long", ErrFrame, n)
	}
	if size := HeaderLen - 1 + int(n); size <= len(b) {
		return size, nil
	}
	return 0, nil
}

// fill reads once from the connection, or returns the error the read before left.
func (r *Reader) fill() error {
	if err := r.err; err != nil {
		r.err = nil
		return err
	}
	if r.buf == nil {
		r.buf = take(r.class)
	}
	r.resize()
	for range 100 {
		n, err := r.src.Read((*r.buf)[r.w:])
		if n > 0 {
			for r.w, r.last = r.w+n, n; err == nil && r.last < r.few && r.w < len(*r.buf); r.w, r.last = r.w+n, r.last+n {
				n, err = r.src.Read((*r.buf)[r.w:])
			}
			r.err = err
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// resize makes room for the next read: all of a buffer one size up if the last read filled this one, one size down if nothing is
// unread and what came last would have filled half of that at most, else this one. A read therefore always has room: a frame that is
// not whole yet fits the largest buffer, and did not fill this one.
func (r *Reader) resize() {
	class := r.class
	switch {
	case r.w == len(*r.buf) && class < len(sizes)-1:
		class++
	case r.r == r.w && class > 0 && r.last <= sizes[class-1]/2:
		class--
	}
	if class == r.class && r.r == 0 {
		return // not moved for each of the small reads a large frame may come in
	}
	old := r.buf
	if class != r.class {
		r.buf = take(class)
	}
	r.r, r.w = 0, copy(*r.buf, (*old)[r.r:r.w])
	if class != r.class {
		spare[r.class].Put(old)
		r.class = class
	}
}
