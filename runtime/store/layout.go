package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"time"
)

// The layout of keys. All of a shard is one range, ordered by table, partition, key, so that a shard is wiped by one range delete:
//
//	'f'                                        the format version, as text
//	's' table 0x00 0x01 partition 0x00         the shard's position
//	's' table 0x00 0x01 partition 0x01 key     an entry
//
// A zero byte in a table's name is written 0x00 0xff, so no name is the beginning of another's range. The partition is four bytes, big endian, with
// the sign flipped.
const (
	formatKey   = 'f'
	shardKey    = 's'
	positionTag = 0x00
	entryTag    = 0x01
)

const signFlip = 1 << 31

var errLayout = errors.New("not a key or value of this format")

// appendShard appends what all keys of the shard begin with.
func appendShard(to []byte, s Shard) []byte {
	to = append(to, shardKey)
	table := s.Table
	for {
		i := strings.IndexByte(table, 0)
		if i < 0 {
			break
		}
		to = append(append(to, table[:i]...), 0x00, 0xff)
		table = table[i+1:]
	}
	to = append(append(to, table...), 0x00, 0x01)
	return binary.BigEndian.AppendUint32(to, uint32(s.Partition)^signFlip)
}

// appendEntry appends the key of an entry.
func appendEntry(to []byte, s Shard, key []byte) []byte {
	return append(append(appendShard(to, s), entryTag), key...)
}

// appendPosition appends the key of the shard's position.
func appendPosition(to []byte, s Shard) []byte {
	return append(appendShard(to, s), positionTag)
}

// readShard gives the shard a key belongs to.
func readShard(key []byte) (Shard, error) {
	if len(key) == 0 || key[0] != shardKey {
		return Shard{}, errLayout
	}
	var table []byte
	for rest := key[1:]; ; {
		i := bytes.IndexByte(rest, 0)
		if i < 0 || i+1 == len(rest) {
			return Shard{}, errLayout
		}
		table = append(table, rest[:i]...)
		switch end := rest[i+1]; {
		case end == 0xff:
			table, rest = append(table, 0), rest[i+2:]
		case end == 0x01 && len(rest) >= i+6:
			return Shard{Table: string(table), Partition: int32(binary.BigEndian.Uint32(rest[i+2:]) ^ signFlip)}, nil
		default:
			return Shard{}, errLayout
		}
	}
}

// after gives the first key behind all that begin with prefix, nil if there is none. It writes into prefix.
func after(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			prefix[i]++
			return prefix[:i+1]
		}
	}
	return nil
}

// bounds gives the range of a shard's entries from a key on.
func bounds(s Shard, key []byte) (from, to []byte) {
	return appendEntry(nil, s, key), after(appendEntry(nil, s, nil))
}

// positionSize is topic, offset, seconds, nanoseconds and fence.
const positionSize = 16 + 8 + 8 + 4 + 8

func writePosition(p Position) []byte {
	to := append(make([]byte, 0, positionSize), p.Topic[:]...)
	to = binary.BigEndian.AppendUint64(to, uint64(p.Offset))
	to = binary.BigEndian.AppendUint64(to, uint64(p.Time.Unix()))
	to = binary.BigEndian.AppendUint32(to, uint32(p.Time.Nanosecond()))
	return binary.BigEndian.AppendUint64(to, uint64(p.Fence))
}

func readPosition(b []byte) (Position, error) {
	if len(b) != positionSize {
		return Position{}, errLayout
	}
	p := Position{Topic: [16]byte(b), Offset: int64(binary.BigEndian.Uint64(b[16:]))}
	p.Time = time.Unix(int64(binary.BigEndian.Uint64(b[24:])), int64(binary.BigEndian.Uint32(b[32:]))).UTC()
	p.Fence = int64(binary.BigEndian.Uint64(b[36:]))
	return p, nil
}
