package auth

// FillGate occupies every place at the gate until leave is called.
func (p *Passwords) FillGate() (leave func()) {
	leaves := []func(){}
	for p.gate.TryAcquire(1) {
		leaves = append(leaves, func() { p.gate.Release(1) })
	}
	return func() {
		for _, l := range leaves {
			l()
		}
	}
}

// Remember makes a password one that was just verified, whatever the hash is.
func (p *Passwords) Remember(hash, password string) {
	p.verified.Add(p.memoryKey(hash, password), p.now().Add(rememberFor))
}
