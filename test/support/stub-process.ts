// The stub cells of the benchmarks, which are processes of their own, for tests.
export { startStubProcess, type StubProcess } from '../../loadtest/stubs/stub-process.ts';
