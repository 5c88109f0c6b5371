// The first import of every entry point. JavaScript, so that a Node too old for TypeScript can still say so.
const [major = 0] = process.versions.node.split('.').map(Number);
if (major < 24) {
  process.stderr.write(
    `cellgate: Node ${process.versions.node} is too old, 24 or newer is needed. ` +
      'On Linux x64 `npm ci` installs one and `npm start`, `npm run …` and `npx …` use it; elsewhere install Node 24.\n',
  );
  process.exit(2);
}
