package wire

import (
	"encoding/binary"
	"fmt"
	"reflect"

	"github.com/fxamacker/cbor/v2"
)

// encoding is immutable: fixed-size arrays are byte strings, keys are sorted, a nil slice is an empty one.
var encoding = must(cbor.EncOptions{
	Sort:          cbor.SortCoreDeterministic,
	IndefLength:   cbor.IndefLengthForbidden,
	TagsMd:        cbor.TagsForbidden,
	NilContainers: cbor.NilContainerAsEmpty,
	ByteArray:     cbor.ByteArrayToByteSlice,
}.EncMode())

// decoding is immutable. Four levels are what PRESENCE needs and the fewest the library can be told.
var decoding = must(cbor.DecOptions{
	DupMapKey:        cbor.DupMapKeyEnforcedAPF,
	IndefLength:      cbor.IndefLengthForbidden,
	TagsMd:           cbor.TagsForbidden,
	UTF8:             cbor.UTF8RejectInvalid,
	MaxNestedLevels:  4,
	MaxArrayElements: MaxDays,
	MaxMapPairs:      32,
}.DecMode())

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Append appends a frame with body v in CBOR to b. It panics where v does not fit a frame: senders bound their counts.
func Append(b []byte, t Type, v any) []byte {
	return AppendFrame(b, t, must(encoding.Marshal(v)))
}

// AppendFrame appends a frame whose body is already encoded. It panics where that is larger than a frame may be.
func AppendFrame(b []byte, t Type, body []byte) []byte {
	if len(body) > MaxFrame-1 {
		panic(fmt.Sprintf("wire: a frame of type %d with %d bytes", t, len(body)))
	}
	b = binary.BigEndian.AppendUint32(b, uint32(1+len(body)))
	return append(append(b, byte(t)), body...)
}

// Decode reads a control body strictly into v, a pointer to the struct of its type, and checks counts and sizes. What v held before
// is gone, and nothing in it aliases body afterwards. Errors wrap ErrFrame, or ErrVersion where a HELLO of another version has another shape.
func Decode(body []byte, v any) error {
	err := decode(body, v)
	if _, ok := v.(*Hello); ok && err != nil {
		// Only what is the same in every version.
		var h struct {
			Version int    `cbor:"1,keyasint"`
			Nick    string `cbor:"5,keyasint"`
		}
		if decoding.Unmarshal(body, &h) == nil && h.Version > 0 && h.Version != Version {
			return CheckVersion(&Hello{Version: h.Version, Nick: h.Nick})
		}
	}
	return err
}

func decode(body []byte, v any) error {
	target := reflect.ValueOf(v).Elem()
	target.SetZero()
	if err := decoding.Unmarshal(body, v); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrFrame, target.Type().Name(), err)
	}
	// The library is lenient about what it reads: it fills up a byte array that came short, cuts one that came long, takes numbers or
	// null for it, and leaves a missing field zero. So what was understood, encoded, must be found in what came.
	if _, _, ok := includes(body, must(encoding.Marshal(v))); !ok {
		return fmt.Errorf("%w: %s: not in canonical form", ErrFrame, target.Type().Name())
	}
	if err := v.(limited).check(); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrFrame, target.Type().Name(), err)
	}
	return nil
}
