package topic

import "hash/crc32"

// Partitioner says how a topic's keys are spread over its partitions. Every producer of a topic has to agree on it.
type Partitioner string

// The partitioners known: Murmur2 is Java's, franz-go's and our default; CRC32 is librdkafka's default ("consistent_random").
const (
	Murmur2 Partitioner = "murmur2"
	CRC32   Partitioner = "crc32"
)

// Partition gives the partition of n that key belongs to. The empty Partitioner is Murmur2. n must be positive.
func (p Partitioner) Partition(key []byte, n int32) int32 {
	if p == CRC32 {
		return int32(crc32.ChecksumIEEE(key) % uint32(n))
	}
	return int32((murmur2(key) & 0x7fffffff) % uint32(n))
}

// murmur2 is the hash of Java's default partitioner (seed 0x9747b28c).
func murmur2(b []byte) uint32 {
	const m, r = 0x5bd1e995, 24
	h := 0x9747b28c ^ uint32(len(b))
	for ; len(b) >= 4; b = b[4:] {
		k := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
		k *= m
		k ^= k >> r
		k *= m
		h *= m
		h ^= k
	}
	switch len(b) {
	case 3:
		h ^= uint32(b[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(b[1]) << 8
		fallthrough
	case 1:
		h ^= uint32(b[0])
		h *= m
	}
	h ^= h >> 13
	h *= m
	h ^= h >> 15
	return h
}
