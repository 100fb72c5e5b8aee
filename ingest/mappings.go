package ingest

import (
	"embed"
	"fmt"
)

// mappingFiles are the mappings that ship.
//
//go:embed mappings/*.yaml
var mappingFiles embed.FS

// shippedMappings are the formats that are described, not programmed. One that
// does not load is a fault of the build, which a test finds.
func shippedMappings() []Format {
	entries, err := mappingFiles.ReadDir("mappings")
	if err != nil {
		panic(fmt.Sprintf("ingest: the shipped mappings: %v", err))
	}
	formats := make([]Format, 0, len(entries))
	for _, entry := range entries {
		data, err := mappingFiles.ReadFile("mappings/" + entry.Name())
		if err != nil {
			panic(fmt.Sprintf("ingest: the shipped mapping %s: %v", entry.Name(), err))
		}
		f, err := LoadMapping(data)
		if err != nil {
			panic(fmt.Sprintf("ingest: the shipped mapping %s: %v", entry.Name(), err))
		}
		formats = append(formats, f)
	}
	return formats
}
