package broker

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestCodecs(t *testing.T) {
	for _, c := range []struct {
		compression Compression
		seeds       []string
		want        kgo.CompressionCodec
	}{
		{"", []string{"127.0.0.1:9092"}, kgo.NoCompression()},
		{Auto, []string{"localhost:9092", "[::1]:9093"}, kgo.NoCompression()},
		{Auto, []string{"localhost:9092", "kafka-1:9092"}, kgo.SnappyCompression()},
		{Auto, []string{"10.0.0.1:9092"}, kgo.SnappyCompression()},
		{LZ4, []string{"localhost:9092"}, kgo.Lz4Compression()},
		{Zstd, []string{"kafka:9092"}, kgo.ZstdCompression()},
		{Gzip, []string{"kafka:9092"}, kgo.GzipCompression()},
		{None, []string{"kafka:9092"}, kgo.NoCompression()},
	} {
		if got := (Config{Compression: c.compression, Seeds: c.seeds}).codecs(); got[0] != c.want {
			t.Errorf("%q to %q: %v", c.compression, c.seeds, got)
		}
	}
}
