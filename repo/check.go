package repo

// Report is what an engine found out about itself.
type Report struct {
	// Findings are the first [MaxFindings] of what is wrong, Total is their number.
	// None means that all is well.
	Findings []Finding
	Total    int64
	// Events is how many events were looked at.
	Events int64
}

// MaxFindings bounds [Report.Findings].
const MaxFindings = 100

// Finding is one thing that is wrong.
type Finding struct {
	// Kind is a short stable slug: integrity, foreign_key, counter, rollup, facet,
	// attacker or credential.
	Kind string
	// Detail is a sentence.
	Detail string
	// Repairable says that the engine's Repair mends it, because it is computed from
	// what is stored beside it.
	Repairable bool
}

// Add notes a finding.
func (r *Report) Add(f Finding) {
	if r.Total++; len(r.Findings) < MaxFindings {
		r.Findings = append(r.Findings, f)
	}
}
