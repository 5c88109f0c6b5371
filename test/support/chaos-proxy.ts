// The chaos proxy of the benchmarks, for tests.
export { startChaosProxy, type ChaosProxy } from '../../loadtest/stubs/chaos-proxy.ts';
