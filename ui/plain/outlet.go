package plain

import (
	"context"
	"io"
	"time"
)

// endWithin is how long the output has, when Run is to end, to take what is being written.
const endWithin = time.Second

// An outlet writes in a goroutine of its own, since nothing can interrupt a write to a pipe that is full and that nobody reads: who waits for it leaves a while after ctx has ended, and it stays.
type outlet struct {
	ctx     context.Context
	text    chan []byte
	written chan error
}

func newOutlet(ctx context.Context, to io.Writer) *outlet {
	o := &outlet{ctx, make(chan []byte), make(chan error, 1)}
	go func() {
		for b := range o.text {
			_, err := to.Write(b)
			o.written <- err
		}
	}()
	return o
}

// Write is not called again once it has failed: b is still being written then.
func (o *outlet) Write(b []byte) (int, error) {
	o.text <- b
	select {
	case err := <-o.written:
		return len(b), err
	case <-o.ctx.Done():
	}
	select {
	case err := <-o.written:
		return len(b), err
	case <-time.After(endWithin):
		return 0, o.ctx.Err()
	}
}

// Close ends the goroutine as soon as nothing is being written.
func (o *outlet) Close() { close(o.text) }
