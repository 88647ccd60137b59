package identity

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// Load reads the identity in dir/identity.key, or makes one (0600, in a folder made 0700) where there is none. The file is a
// PKCS #8 private key in PEM. A file that is there but is no key is an error and is left alone: it may be somebody's only copy.
// On Unix a key file that group or others may open is refused with ErrExposed; the error says which chmod mends it. Two
// processes that start at once on a new profile get the same identity.
func Load(dir string) (*Identity, error) {
	path := filepath.Join(dir, "identity.key")
	text, err := ReadSecret(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = createIdentity(path); err == nil || errors.Is(err, fs.ErrExist) {
			text, err = ReadSecret(path)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	key, err := decodeKey(text)
	if err != nil {
		return nil, fmt.Errorf("identity: %s: %w", path, err)
	}
	return fromKey(key), nil
}

func createIdentity(path string) error {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	text, err := encodeKey(key)
	if err != nil {
		return err
	}
	return createSecret(path, text)
}

func encodeKey(key ed25519.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func decodeKey(text []byte) (ed25519.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("not a PEM file")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("not a PKCS #8 private key") // the parser's words could tell of the contents
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, errors.New("not an Ed25519 key")
	}
	return key, nil
}
