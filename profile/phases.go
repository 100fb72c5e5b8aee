package profile

import (
	"slices"
	"strings"

	"decnet/repo"
)

// largePayload is the size from which on an event's payload is large, in bytes.
const largePayload = 1 << 20

// maxRecon is how many of the latest times of reconnaissance are kept: a
// transfer that comes to light late still finds what was before it.
const maxRecon = 16

// phases tell looking around from taking things out. A transfer is an event
// that moves a file, or a large payload. Reconnaissance is what is neither a
// transfer nor a command, up to the first transfer: connections, probes, logins.
// It ends with the last such event before the first transfer; until there is
// one, nobody knows whether it has ended.
type phases struct {
	transferred bool
	transfer    int64   // the earliest transfer
	recon       []int64 // ascending, none after the transfer
	large       int64
}

func (p *phases) add(t int64, e *repo.Event) {
	if e.Traits.PayloadBytes >= largePayload {
		p.large++
	}
	switch {
	case isTransfer(e):
		if !p.transferred || t < p.transfer {
			p.transferred, p.transfer = true, t
			end, _ := slices.BinarySearch(p.recon, t+1)
			p.recon = p.recon[:end]
		}
	case e.Command != "", p.transferred && t > p.transfer:
	default:
		p.addRecon(t)
	}
}

func (p *phases) addRecon(t int64) {
	if len(p.recon) == maxRecon {
		if t <= p.recon[0] {
			return
		}
		p.recon = slices.Delete(p.recon, 0, 1)
	}
	i, _ := slices.BinarySearch(p.recon, t)
	p.recon = slices.Insert(p.recon, i, t)
}

// isTransfer goes by the words that the decoys use, such as download_attempt
// and cowrie.session.file_upload. One that failed moved nothing.
func isTransfer(e *repo.Event) bool {
	if e.Traits.PayloadBytes >= largePayload {
		return true
	}
	name := clip(e.EventType, MaxName)
	return (repo.ContainsFold(name, "upload") || repo.ContainsFold(name, "download") ||
		repo.ContainsFold(name, "exfil") || strings.EqualFold(name, "file_transfer")) &&
		!repo.ContainsFold(name, "fail")
}

func (p *phases) summary() repo.Phases {
	sum := repo.Phases{LargePayloads: p.large}
	if !p.transferred {
		return sum
	}
	sum.ExfilStart = instant(p.transfer)
	if n := len(p.recon); n > 0 {
		sum.ReconEnd = instant(p.recon[n-1])
		latency := seconds(float64(p.transfer - p.recon[n-1]))
		sum.ExfilLatency = &latency
	}
	return sum
}
