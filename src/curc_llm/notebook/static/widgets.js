// Not made yet: make widgets
export default { render() {} };
