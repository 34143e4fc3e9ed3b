// Package kafka holds the product against Kafka itself: our client against a real broker, and Kafka's own tools against the embedded one. It needs Java 17
// and Maven; without them its tests are skipped, or fail if REQUIRE_KAFKA is set. One broker serves all tests, so each uses topics and groups of
// its own names.
package kafka

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"faust/runtime/broker"
	"faust/tests/drive"
)

// user and password are known to the broker's SASL listener, for PLAIN and for SCRAM-SHA-512.
const (
	user     = "me"
	password = "s3cr3t"
)

// kafka is the broker that TestMain started.
var kafka struct {
	absent           string // why there is none
	libs             string
	plain, sasl, tls string // addresses of its listeners
	ca               string // the file with the certificate of the tls listener
	dir, properties  string
	process          *exec.Cmd
	ended            chan struct{}
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if err := libraries(); err != nil {
		kafka.absent = err.Error()
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "faust-kafka-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	kafka.dir = dir
	defer drive.Clean()
	defer stop()
	if err := start(); err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "kafka.log"))
		fmt.Fprintf(os.Stderr, "start kafka: %v\n%s\n", err, log)
		return 1
	}
	return m.Run()
}

// real skips the test where Kafka cannot be had, and fails it where it has to be.
func real(t *testing.T) {
	t.Helper()
	switch {
	case kafka.absent == "":
	case os.Getenv("REQUIRE_KAFKA") != "":
		t.Fatalf("no Kafka: %s", kafka.absent)
	default:
		t.Skipf("no Kafka: %s", kafka.absent)
	}
}

// serial numbers what tests create.
var serial atomic.Int64

// fresh makes a name of its own, so that a test can be run again on the same broker.
func fresh(name string) string { return fmt.Sprintf("%s-%d", name, serial.Add(1)) }

// libraries brings Kafka's jars into the cache.
func libraries() error {
	for _, program := range []string{"java", "mvn"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%s is not installed", program)
		}
	}
	libs, err := filepath.Abs("../../.cache/kafka/libs")
	if err != nil {
		return err
	}
	kafka.libs = libs
	complete := filepath.Join(libs, "complete")
	if pom, err := os.ReadFile("pom.xml"); err != nil {
		return err
	} else if have, err := os.ReadFile(complete); err == nil && string(have) == string(pom) {
		return nil
	}
	if err := os.RemoveAll(libs); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	mvn := exec.CommandContext(ctx, "mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory="+libs)
	if out, err := mvn.CombinedOutput(); err != nil {
		return fmt.Errorf("mvn: %w\n%s", err, out)
	}
	pom, err := os.ReadFile("pom.xml")
	if err != nil {
		return err
	}
	return os.WriteFile(complete, pom, 0o644)
}

func start() error {
	ports, err := freePorts(4)
	if err != nil {
		return err
	}
	kafka.plain, kafka.sasl, kafka.tls = ports[0], ports[1], ports[2]
	keys, err := certificate()
	if err != nil {
		return err
	}
	lines := []string{
		"process.roles=broker,controller", "node.id=1",
		"controller.quorum.bootstrap.servers=" + ports[3], "controller.listener.names=CONTROLLER", "inter.broker.listener.name=PLAINTEXT",
		fmt.Sprintf("listeners=PLAINTEXT://%s,SASL://%s,TLS://%s,CONTROLLER://%s", ports[0], ports[1], ports[2], ports[3]),
		fmt.Sprintf("advertised.listeners=PLAINTEXT://%s,SASL://%s,TLS://%s", ports[0], ports[1], ports[2]),
		"listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT,TLS:SSL",
		"listener.name.sasl.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512",
		fmt.Sprintf("listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_%s=\"%s\";", user, password),
		"listener.name.sasl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;",
		"listener.name.tls.ssl.keystore.type=PEM", "listener.name.tls.ssl.keystore.location=" + keys,
		"log.dirs=" + filepath.Join(kafka.dir, "data"),
		"offsets.topic.replication.factor=1", "offsets.topic.num.partitions=8",
		"transaction.state.log.replication.factor=1", "transaction.state.log.min.isr=1", "transaction.state.log.num.partitions=8",
		"share.coordinator.state.topic.replication.factor=1", "share.coordinator.state.topic.min.isr=1",
		"group.initial.rebalance.delay.ms=0",
		"group.min.session.timeout.ms=1000",                                   // a worker that hangs is given up sooner than most people would
		"broker.session.timeout.ms=15000", "broker.heartbeat.interval.ms=500", // one that did not get to run for so long creates no topics; one that was killed is let in again only after this
	}
	kafka.properties = filepath.Join(kafka.dir, "server.properties")
	if err := os.WriteFile(kafka.properties, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		return err
	}
	logging := "status=error\nrootLogger.level=warn\nrootLogger.appenderRef.out.ref=out\nappender.out.type=Console\nappender.out.name=out\nappender.out.layout.type=PatternLayout\nappender.out.layout.pattern=%d %p %c %m%n\n"
	if err := os.WriteFile(filepath.Join(kafka.dir, "log4j2.properties"), []byte(logging), 0o644); err != nil {
		return err
	}
	id := make([]byte, 16)
	_, _ = rand.Read(id)
	format := java("kafka.tools.StorageTool", "format", "--standalone", "--cluster-id="+base64.RawURLEncoding.EncodeToString(id), "-c", kafka.properties,
		"--add-scram", fmt.Sprintf("SCRAM-SHA-512=[name=%s,password=%s]", user, password))
	if out, err := format.CombinedOutput(); err != nil {
		return fmt.Errorf("format: %w\n%s", err, out)
	}
	return launch()
}

// launch starts the broker on its ports and its data: the first time, and again after it ended.
func launch() error {
	log, err := os.OpenFile(filepath.Join(kafka.dir, "kafka.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	kafka.process = java("kafka.Kafka", kafka.properties)
	kafka.process.Stdout, kafka.process.Stderr = log, log
	if err := kafka.process.Start(); err != nil {
		return err
	}
	kafka.ended = make(chan struct{})
	go func() { _ = kafka.process.Wait(); close(kafka.ended) }()
	ctx, cancel := context.WithTimeout(context.Background(), 2*drive.Patience)
	defer cancel()
	for {
		c, err := broker.Open(ctx, broker.Config{Seeds: []string{kafka.plain}})
		if err == nil {
			c.Close()
			return nil
		}
		select {
		case <-kafka.ended:
			return errors.New("it ended")
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func stop() {
	if kafka.process == nil || kafka.process.Process == nil {
		return
	}
	_ = kafka.process.Process.Signal(syscall.SIGTERM)
	select {
	case <-kafka.ended:
	case <-time.After(drive.Patience):
		kill()
	}
}

// kill ends the broker by SIGKILL.
func kill() {
	_ = kafka.process.Process.Kill()
	<-kafka.ended
}

// java makes a command of a main class among Kafka's jars.
func java(class string, args ...string) *exec.Cmd {
	return exec.Command("java", append([]string{"-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", filepath.Join(kafka.libs, "*"),
		"-Dlog4j2.configurationFile=" + filepath.Join(kafka.dir, "log4j2.properties"), class}, args...)...)
}

// freePorts gives addresses with ports that nobody else gets, not even while the broker is down.
func freePorts(n int) ([]string, error) {
	var out []string
	for range n {
		port, err := drive.FreePort()
		if err != nil {
			return nil, err
		}
		out = append(out, fmt.Sprintf("127.0.0.1:%d", port))
	}
	return out, nil
}

// certificate writes a key with its own certificate for the tls listener, and the certificate alone for clients.
func certificate() (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kafka"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return "", err
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	kafka.ca = filepath.Join(kafka.dir, "ca.pem")
	both := filepath.Join(kafka.dir, "server.pem")
	if err := os.WriteFile(kafka.ca, cert, 0o644); err != nil {
		return "", err
	}
	return both, os.WriteFile(both, append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), cert...), 0o600)
}
