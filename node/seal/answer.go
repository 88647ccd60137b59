package seal

import (
	"encoding/binary"
	"fmt"
)

// An Answer is what a member says to an invitation: yes, or no, by which it leaves later, too. It is the body of a message of kind State, whose author and room it is of. It stands in the clear, as the
// members do, for whoever owns the room then, or comes to: that may be somebody whom its author does not know of, or who has no key of its author's epoch. Yes once more, in the present
// epoch, says that its author is without that epoch's key.
type Answer struct {
	Epoch uint32 // of the newest state that the author knows
	Yes   bool
}

const answerLen = 1 + 4 + 1

// Bytes returns the encoding.
func (a Answer) Bytes() []byte {
	b := append(binary.BigEndian.AppendUint32([]byte{formAnswer}, a.Epoch), 0)
	if a.Yes {
		b[answerLen-1] = 1
	}
	return b
}

// ParseAnswer decodes what Bytes returned.
func ParseAnswer(b []byte) (a Answer, err error) {
	if len(b) != answerLen || b[0] != formAnswer || b[answerLen-1] > 1 {
		return a, fmt.Errorf("%w answer", ErrMalformed)
	}
	return Answer{binary.BigEndian.Uint32(b[1:]), b[answerLen-1] == 1}, nil
}
