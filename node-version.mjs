// The first import of every entry point. JavaScript, so that a Node too old for TypeScript can still say so.
import module from 'node:module';
import { join } from 'node:path';

const [major = 0] = process.versions.node.split('.').map(Number);
if (major < 24) {
  process.stderr.write(
    `cellgate: Node ${process.versions.node} is too old, 24 or newer is needed. ` +
      'On Linux x64 `npm ci` installs one and `npm start`, `npm run …` and `npx …` use it; elsewhere install Node 24.\n',
  );
  process.exit(2);
}
// What is compiled, and stripped of its types, is kept for the next start: that one takes half the time, and 20 MB less. It lies
// beside the packages: to the system's folder for temporary files anybody may write. Where it can not be kept, all is as without.
module.enableCompileCache?.(join(import.meta.dirname, 'node_modules/.cache/compiled'));
