//go:build race

package election

const raced = true
