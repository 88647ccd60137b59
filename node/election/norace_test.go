//go:build !race

package election

const raced = false
