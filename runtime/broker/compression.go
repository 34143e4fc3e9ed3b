package broker

import (
	"net"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Compression is how batches of records are compressed when they are sent.
type Compression string

// The compressions. Auto is Snappy, which costs little and saves a network two thirds of the bytes of JSON; to brokers on this machine, where bytes cost less
// than compressing them, it is None.
const (
	Auto   Compression = "auto"
	None   Compression = "none"
	Gzip   Compression = "gzip"
	Snappy Compression = "snappy"
	LZ4    Compression = "lz4"
	Zstd   Compression = "zstd"
)

// codecs gives those to use, the best first.
func (c Config) codecs() []kgo.CompressionCodec {
	switch c.Compression {
	case None:
		return []kgo.CompressionCodec{kgo.NoCompression()}
	case Gzip:
		return []kgo.CompressionCodec{kgo.GzipCompression()}
	case LZ4:
		return []kgo.CompressionCodec{kgo.Lz4Compression()}
	case Zstd:
		return []kgo.CompressionCodec{kgo.ZstdCompression(), kgo.SnappyCompression()} // of brokers since 2.1
	case Snappy:
		return []kgo.CompressionCodec{kgo.SnappyCompression()}
	}
	if c.local() {
		return []kgo.CompressionCodec{kgo.NoCompression()}
	}
	return []kgo.CompressionCodec{kgo.SnappyCompression()}
}

// local tells whether all brokers that are named are on this machine.
func (c Config) local() bool {
	for _, seed := range c.Seeds {
		host, _, err := net.SplitHostPort(seed)
		if err != nil {
			return false
		}
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return false
		}
	}
	return len(c.Seeds) > 0
}
