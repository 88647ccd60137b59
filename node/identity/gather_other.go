//go:build !unix

package identity

const canWriteNow = false

func sendNow(uintptr, []byte) int { return 0 }

func receiveNow(uintptr, []byte) (int, error) { return 0, nil }

func readable(uintptr) bool { return false }
