package docker

import "context"

// Refresh looks at the containers at once, instead of every few seconds.
func (d *Driver) Refresh(ctx context.Context) { d.refresh(ctx) }
