package wire

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"testing/iotest"
)

// A frame is what a test expects of Next.
type frame struct {
	Type Type
	Body string
}

// readAll returns the frames read and the error that ended them.
func readAll(r *Reader) (frames []frame, err error) {
	for {
		t, body, err := r.Next()
		if err != nil {
			return frames, err
		}
		frames = append(frames, frame{t, string(body)})
	}
}

// stream returns frames of many sizes, encoded.
func stream() (encoded []byte, frames []frame) {
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 300 {
		size := random.IntN(200)
		if i%50 == 0 {
			size = MaxFrame - 1 - i
		}
		body := bytes.Repeat([]byte{byte(i)}, size)
		encoded = AppendFrame(encoded, Type(i), body)
		frames = append(frames, frame{Type(i), string(body)})
	}
	return encoded, frames
}

func TestReader(t *testing.T) {
	encoded, want := stream()
	for name, src := range map[string]io.Reader{
		"at once":          bytes.NewReader(encoded),
		"a byte at a time": iotest.OneByteReader(bytes.NewReader(encoded)),
		"by halves":        iotest.HalfReader(bytes.NewReader(encoded)),
		"data with EOF":    iotest.DataErrReader(bytes.NewReader(encoded)),
		"as TLS does":      &records{b: encoded, size: 16 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readAll(NewReader(src))
			if err != io.EOF {
				t.Errorf("ended with %v", err)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%d frames, want %d", len(got), len(want))
			}
		})
	}
}

// records gives at most size bytes a read.
type records struct {
	b    []byte
	size int
}

func (r *records) Read(p []byte) (int, error) {
	if len(r.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.b[:min(r.size, len(r.b))])
	r.b = r.b[n:]
	return n, nil
}

func TestReaderEnds(t *testing.T) {
	whole := AppendFrame(nil, TypePing, []byte("body"))
	for n := range len(whole) + 1 {
		want := io.ErrUnexpectedEOF
		if n == 0 || n == len(whole) {
			want = io.EOF
		}
		if _, err := readAll(NewReader(bytes.NewReader(whole[:n]))); err != want {
			t.Errorf("after %d of %d bytes: %v, want %v", n, len(whole), err, want)
		}
		if _, err := readAll(NewReader(iotest.DataErrReader(bytes.NewReader(whole[:n])))); err != want {
			t.Errorf("after %d of %d bytes and EOF at once: %v, want %v", n, len(whole), err, want)
		}
	}
}

// A length that is not allowed ends the stream before anything is allocated for it, and before more is read.
func TestReaderRefusesLength(t *testing.T) {
	good := AppendFrame(nil, TypePing, nil)
	for name, head := range map[string][]byte{
		"5 MB":    {0, 0x50, 0, 0},
		"2³²-1":   {0xff, 0xff, 0xff, 0xff},
		"0":       {0, 0, 0, 0},
		"1 above": {0, 1, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			flood := &records{b: slices.Concat(good, head, make([]byte, 5<<20)), size: 100}
			r := NewReader(flood)
			frames, err := readAll(r)
			if len(frames) != 1 || !errors.Is(err, ErrFrame) {
				t.Fatalf("%d frames, %v", len(frames), err)
			}
			if !r.Buffered() {
				t.Error("Next would wait to say so again")
			}
			if _, _, err := r.Next(); !errors.Is(err, ErrFrame) {
				t.Errorf("and then: %v", err)
			}
			if left := len(flood.b); left < 5<<20-512 || cap(*r.buf) > 512 {
				t.Errorf("%d bytes left, buffer of %d", left, cap(*r.buf))
			}
		})
	}
}

// Who claims the largest frame and sends little of it takes little memory.
func TestReaderGrowsByWhatArrives(t *testing.T) {
	b := AppendFrame(nil, TypeRun, make([]byte, MaxFrame-1))
	r := NewReader(bytes.NewReader(b[:300]))
	if _, _, err := r.Next(); err != io.ErrUnexpectedEOF {
		t.Fatal(err)
	}
	if cap(*r.buf) > 512 {
		t.Errorf("buffer of %d bytes for 300", cap(*r.buf))
	}
}

// Under load one read serves many frames; on a quiet link the memory is given back after a few frames.
func TestReaderAdapts(t *testing.T) {
	small := AppendFrame(nil, TypePing, nil)
	one := AppendFrame(nil, TypeRun, make([]byte, 100))
	load := bytes.Repeat(one, 10_000)
	src := &counter{src: &records{b: load, size: 16 << 10}}
	r := NewReader(src)
	for range 10_000 {
		if _, _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if perRead := 10_000 / src.reads; perRead < 100 {
		t.Errorf("%d frames a read, %d reads", perRead, src.reads)
	}
	for i := range 10 {
		src.src = bytes.NewReader(small)
		if _, _, err := r.Next(); err != nil {
			t.Fatal(i, err)
		}
	}
	if cap(*r.buf) > 512 {
		t.Errorf("a quiet link keeps a buffer of %d bytes", cap(*r.buf))
	}
}

type counter struct {
	src   io.Reader
	reads int
}

func (c *counter) Read(p []byte) (int, error) {
	c.reads++
	return c.src.Read(p)
}

func TestReaderBuffered(t *testing.T) {
	two := bytes.Repeat(AppendFrame(nil, TypePing, []byte("body")), 2)
	src := &records{b: two, size: len(two) - 1}
	r := NewReader(src)
	if r.Buffered() {
		t.Error("before the first read")
	}
	for i, want := range []bool{false, false} {
		if _, _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		if got := r.Buffered(); got != want {
			t.Errorf("after frame %d: %v", i+1, got)
		}
	}
	r = NewReader(bytes.NewReader(two))
	if _, _, err := r.Next(); err != nil || !r.Buffered() {
		t.Errorf("with a whole frame there: %v, %v", r.Buffered(), err)
	}
}

func TestReaderAhead(t *testing.T) {
	sent := []frame{{1, "one"}, {2, "two2"}, {3, "three"}}
	var b []byte
	for _, f := range sent {
		b = AppendFrame(b, f.Type, []byte(f.Body))
	}
	r := NewReader(bytes.NewReader(b[:len(b)-1]))
	if _, _, size := r.Ahead(0); size != 0 {
		t.Error("something is ahead before the first read")
	}
	_, first, err := r.Next()
	typ, body, size := r.Ahead(0)
	if err != nil || typ != 2 || string(body) != "two2" || size != HeaderLen+4 || string(first) != "one" {
		t.Fatalf("ahead of %q, %v: %d %q, %d", first, err, typ, body, size)
	}
	if _, _, more := r.Ahead(size); more != 0 {
		t.Error("a frame that is not whole is ahead")
	}
	r = NewReader(bytes.NewReader(b))
	r.Next()
	if typ, body, _ := r.Ahead(size); typ != 3 || string(body) != "three" {
		t.Errorf("behind the next is %d %q", typ, body)
	}
	r.Skip(size)
	if typ, body, err := r.Next(); err != nil || typ != 3 || string(body) != "three" {
		t.Errorf("after a skip: %d %q, %v", typ, body, err)
	}
	bad := AppendFrame(nil, 1, nil)
	r = NewReader(bytes.NewReader(append(bad, 0, 0, 0, 0, 9)))
	if _, _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if _, _, size := r.Ahead(0); size != 0 {
		t.Error("a length that is not allowed is ahead")
	}
	if _, _, err := r.Next(); !errors.Is(err, ErrFrame) {
		t.Errorf("after that: %v", err)
	}
}

// A timeout in the middle of a frame loses nothing.
func TestReaderGoesOnAfterTimeout(t *testing.T) {
	b := AppendFrame(nil, TypePing, []byte("body"))
	r := NewReader(io.MultiReader(bytes.NewReader(b[:6]), iotest.ErrReader(os.ErrDeadlineExceeded)))
	if _, _, err := r.Next(); err != os.ErrDeadlineExceeded {
		t.Fatal(err)
	}
	r.src = bytes.NewReader(b[6:])
	if typ, body, err := r.Next(); typ != TypePing || string(body) != "body" || err != nil {
		t.Errorf("%d, %q, %v", typ, body, err)
	}
}

func TestReaderNoProgress(t *testing.T) {
	r := NewReader(readerFunc(func([]byte) (int, error) { return 0, nil }))
	if _, _, err := r.Next(); err != io.ErrNoProgress {
		t.Error(err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// Frames come out as they went in, however the stream is split; what is no frame ends it.
func FuzzReader(f *testing.F) {
	encoded, _ := stream()
	f.Add(encoded[:2000], []byte{1, 2, 3, 200})
	f.Add(slices.Concat(AppendFrame(nil, TypePing, nil), []byte{0, 0, 0, 0}), []byte{5})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 1}, []byte{0})
	f.Fuzz(func(t *testing.T, b, splits []byte) {
		want, wantErr := readAll(NewReader(bytes.NewReader(b)))
		rest := b
		got, err := readAll(NewReader(readerFunc(func(p []byte) (int, error) {
			if len(rest) == 0 {
				return 0, io.EOF
			}
			n := 1
			if len(splits) > 0 {
				n, splits = 1+int(splits[0])*4, splits[1:]
			}
			n = copy(p, rest[:min(n, len(rest))])
			rest = rest[n:]
			return n, nil
		})))
		if !slices.Equal(got, want) || (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
			t.Fatalf("%d frames and %v, at once %d and %v", len(got), err, len(want), wantErr)
		}
		var again []byte
		for _, frame := range got {
			again = AppendFrame(again, frame.Type, []byte(frame.Body))
		}
		if !bytes.HasPrefix(b, again) || err == io.EOF && len(again) != len(b) {
			t.Fatalf("%d bytes became %d", len(b), len(again))
		}
	})
}

func BenchmarkReader(b *testing.B) {
	encoded := bytes.Repeat(AppendFrame(nil, TypeRun, make([]byte, 250)), 1000)
	src := &records{size: 16 << 10}
	r := NewReader(src)
	b.SetBytes(255)
	b.ReportAllocs()
	for b.Loop() {
		if len(src.b) == 0 {
			src.b = encoded
		}
		if _, _, err := r.Next(); err != nil {
			b.Fatal(err)
		}
	}
}

// A reader that rests between any two reads has no memory meanwhile, and loses nothing of a frame that is not whole.
func TestReaderRests(t *testing.T) {
	encoded, want := stream()
	r := NewReader(iotest.TimeoutReader(iotest.HalfReader(bytes.NewReader(encoded))))
	var got []frame
	for {
		kind, body, err := r.Next()
		switch {
		case err == nil:
			got = append(got, frame{kind, string(body)})
			if r.Rest(); r.r == r.w && r.buf != nil {
				t.Fatal("it keeps a buffer with nothing in it")
			}
			continue
		case errors.Is(err, iotest.ErrTimeout):
			r.Rest()
			continue
		case err != io.EOF:
			t.Fatal(err)
		}
		break
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d frames of %d", len(got), len(want))
	}
}

// pieces gives one a read; where there is none, that nothing has come, once.
type pieces [][]byte

var errNothing = errors.New("nothing has come")

func (p *pieces) Read(b []byte) (int, error) {
	if len(*p) == 0 {
		return 0, io.EOF
	}
	n := copy(b, (*p)[0])
	if (*p)[0] = (*p)[0][n:]; len((*p)[0]) == 0 {
		*p = (*p)[1:]
	}
	if n == 0 {
		return 0, errNothing
	}
	return n, nil
}

// Where a read does not wait, what came in small pieces is there together, though not without end, and what ended it is told after that.
func TestReaderUnwaiting(t *testing.T) {
	small, large := AppendFrame(nil, TypePing, []byte("small")), AppendFrame(nil, TypePing, make([]byte, few))
	ahead := func(r *Reader) (n int) {
		for skip := 0; ; n++ {
			_, _, size := r.Ahead(skip)
			if size == 0 {
				return n
			}
			skip += size
		}
	}
	src := append(slices.Repeat(pieces{small}, 10), nil, small, nil, large[:few/2], large[few/2:], small)
	for _, unwaiting := range []bool{true, false} {
		left := slices.Clone(src)
		r := NewReader(&left)
		if unwaiting {
			r.Unwaiting()
		}
		if _, _, err := r.Next(); err != nil || unwaiting != (ahead(r) == 9) || !unwaiting && ahead(r) != 0 {
			t.Errorf("unwaiting %v: %v, and %d frames ahead", unwaiting, err, ahead(r))
		}
		got := []int{1, 0}
		for err := error(nil); err != io.EOF; got[1]++ {
			if _, _, err = r.Next(); err == nil {
				got[0]++
			}
		}
		if want := []int{13, 15}; !slices.Equal(got, want) {
			t.Errorf("unwaiting %v: %d frames in %d times, want %d", unwaiting, got[0], got[1], want)
		}
	}
	many := &records{b: bytes.Repeat(small, 10*few), size: len(small)}
	r := NewReader(many)
	r.Unwaiting()
	for range 10 * few {
		before := len(many.b)
		if _, _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		if read := before - len(many.b); read >= few+len(small) {
			t.Fatalf("%d bytes are read at once", read)
		}
	}
}
