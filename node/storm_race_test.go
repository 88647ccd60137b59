//go:build race

package node_test

const defaultStorms = 2 // the detector takes its time
