package seal

import (
	"encoding/binary"
	"fmt"

	"earshot/node/message"
)

// Content is what is sealed: a message as it would be in a public room.
type Content struct {
	Kind message.Kind
	Body []byte
}

// check refuses what must not be sealed: what is sealed already, and what others judge by.
func (c *Content) check() error {
	if c.Kind == 0 || c.Kind == message.Sealed || c.Kind == message.Void {
		return fmt.Errorf("%w content: kind %d", ErrMalformed, c.Kind)
	}
	return nil
}

const (
	padTo      = 128
	paddedHead = 1 + 2
)

// MaxPrivate is the longest body of a direct message, in bytes.
const MaxPrivate = MaxPadded - paddedHead

// pad encodes c with zeros to a multiple of padTo.
func (c *Content) pad() ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if len(c.Body) > MaxPrivate {
		return nil, fmt.Errorf("%w content: %d bytes", ErrMalformed, len(c.Body))
	}
	n := paddedHead + len(c.Body)
	b := make([]byte, paddedHead, n+padTo)
	b[0] = byte(c.Kind)
	binary.BigEndian.PutUint16(b[1:], uint16(len(c.Body)))
	b = append(b, c.Body...)
	return append(b, make([]byte, -n&(padTo-1))...), nil
}

// unpad decodes what pad returned; the body aliases b.
func unpad(b []byte) (c Content, err error) {
	if len(b) < padTo || len(b) > MaxPadded || len(b)%padTo != 0 {
		return c, fmt.Errorf("%w content: padded to %d bytes", ErrMalformed, len(b))
	}
	n := int(binary.BigEndian.Uint16(b[1:]))
	if n > len(b)-paddedHead || len(b)-paddedHead-n >= padTo {
		return c, fmt.Errorf("%w content: wrong length", ErrMalformed)
	}
	for _, zero := range b[paddedHead+n:] {
		if zero != 0 {
			return c, fmt.Errorf("%w content: bad padding", ErrMalformed)
		}
	}
	c = Content{message.Kind(b[0]), b[paddedHead : paddedHead+n : paddedHead+n]}
	return c, c.check()
}
