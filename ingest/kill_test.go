package ingest_test

const childEnv = "DECNET_INGEST_TEST_CHILD"

func runChild() int { return 0 }
